"""What `validate` and `evaluate` say of sources that are no plain files, and of columns that are not read."""

import os
import re
import subprocess
import sys
import threading

import pytest

from tests.cli.made import FIFTY_ROWS, HEADER, row
from tests.pipeline.command import millrace


def run(*arguments: str, content: str = "", **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "millrace.cli", *arguments],
        input=content,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


@pytest.fixture
def piped():
    """A path under which a pipe with this content is read, as `<(...)` of a shell gives it, and its descriptor."""
    readers = []

    def path(content: str) -> tuple[str, int]:
        reading, writing = os.pipe()
        readers.append(reading)
        os.write(writing, content.encode())
        os.close(writing)
        return f"/dev/fd/{reading}", reading

    yield path
    for reading in readers:
        os.close(reading)


def test_validate_counts_piped_rows_and_names_unread_columns(piped):
    path, reading = piped(HEADER.strip() + ",[bold]rank\n" + row(1).strip() + ",7\n")
    done = run("validate", "courses", path, pass_fds=[reading])
    assert done.returncode == 0
    assert ["accepted", "1"] in [re.findall(r"\w+", line) for line in done.stdout.splitlines()]
    assert "Columns that are not read: [bold]rank." in done.stderr


def test_evaluate_reads_sequences_from_pipe(piped):
    lines = "".join(f"u{user} {' '.join(f'i{(user + step) % 9}' for step in range(6))}\n" for user in range(30))
    path, reading = piped(lines)
    done = run("evaluate", "--sequences", path, "--model", "popularity", "--json", pass_fds=[reading])
    assert done.returncode == 0, done.stderr
    assert '"users": 30' in done.stdout


def test_dev_stdin_is_standard_input():
    code, counts, _ = millrace("validate", "courses", "/dev/stdin", stdin=FIFTY_ROWS.encode())
    assert (code, counts["read"], counts["accepted"]) == (0, 50, 50)


def test_named_pipe_is_read(tmp_path):
    fifo = tmp_path / "f"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_text(FIFTY_ROWS))
    writer.start()
    code, counts, _ = millrace("validate", "courses", str(fifo))
    writer.join()
    assert (code, counts["accepted"]) == (0, 50)


def test_header_only_file_and_empty_file_are_distinguished(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(HEADER)
    done = run("validate", "courses", str(file))
    assert (done.returncode, "has no rows" in done.stderr) == (0, True)
    file.write_text("")
    done = run("validate", "courses", str(file))
    assert (done.returncode, "a.csv is empty" in done.stderr) == (2, True)
