"""Opening a source: once, whatever it is, and by what the open file is, never by its name."""

import io
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from millrace.errors import BadInputError, NotFoundError
from millrace.records import opening
from millrace.records.readers import open_source, read_rows

FIELDS = ("id", "name")
CSV = b"id,name\n1,a\n2,b\n"
ROWS = [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}]


def values(path: str) -> list:
    with open_source(path) as source:
        return [row.values for row in read_rows(source, FIELDS)]


@contextmanager
def pipe(content: bytes) -> Iterator[int]:
    """The reading end of a pipe that somebody else writes into."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as target:
            target.write(content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield reading
    finally:
        os.close(reading)
        writer.join()


@pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
def test_pipe_descriptor_from_process_substitution_is_read_completely(folder):
    many = b"id,name\n" + b"".join(b"%d,name\n" % number for number in range(30_000))
    with pipe(many) as reading:
        assert len(values(f"{folder}/{reading}")) == 30_000


def test_pipe_is_not_rereadable_and_has_no_position():
    with pipe(CSV) as reading, open_source(f"/dev/fd/{reading}") as source:
        assert (source.is_rereadable, source.size, source.position) == (False, None, 0)
        assert [row.values for row in read_rows(source, FIELDS)] == ROWS
        assert source.name == f"/dev/fd/{reading}"


def test_socket_descriptor_is_read():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(CSV)
        theirs.shutdown(socket.SHUT_WR)
        assert values(f"/dev/fd/{ours.fileno()}") == ROWS


def test_non_blocking_pipe_is_read_to_end():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    writer = threading.Timer(0.2, lambda: (os.write(writing, CSV), os.close(writing)))
    writer.start()
    assert values(f"/dev/fd/{reading}") == ROWS
    writer.join()
    os.close(reading)


def test_live_pipe_yields_rows_before_it_ends():
    reading, writing = os.pipe()
    os.write(writing, CSV)
    with open_source(f"/dev/fd/{reading}") as source:
        rows = read_rows(source, FIELDS)
        assert [next(rows).values, next(rows).values] == ROWS
        os.write(writing, b"3,c\n")
        os.close(writing)
        assert next(rows).values == {"id": "3", "name": "c"}
    os.close(reading)


def test_named_pipe_is_read_when_writer_opens_it_later(tmp_path):
    fifo = tmp_path / "f"
    os.mkfifo(fifo)
    writer = threading.Timer(0.3, lambda: fifo.write_bytes(CSV))
    writer.start()
    assert values(str(fifo)) == ROWS
    writer.join()


def test_named_pipe_is_read_when_writer_delays_first_row(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "WRITER_TIMEOUT_S", 0.1)
    fifo = tmp_path / "f"
    os.mkfifo(fifo)
    holding = os.open(fifo, os.O_RDWR)
    writer = threading.Timer(0.5, lambda: (os.write(holding, CSV), os.close(holding)))
    writer.start()
    assert values(str(fifo)) == ROWS
    writer.join()


def test_named_pipe_without_writer_is_rejected_without_hanging(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "WRITER_TIMEOUT_S", 0.2)
    fifo = tmp_path / "f"
    os.mkfifo(fifo)
    with pytest.raises(BadInputError, match="named pipe that nobody has written into") as refused:
        values(str(fifo))
    assert refused.value.code == "no_writer"


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_all_names_of_standard_input_are_equivalent(monkeypatch, name):
    with pipe(CSV) as reading, open(reading, closefd=False) as text:
        monkeypatch.setattr(sys, "stdin", text)
        with open_source(name) as source:
            assert (source.name, source.is_rereadable) == ("-", False)
            assert [row.values for row in read_rows(source, FIELDS)] == ROWS


def test_standard_input_redirected_from_file_is_treated_as_file(tmp_path, monkeypatch):
    file = tmp_path / "a.csv"
    file.write_bytes(CSV)
    with file.open() as text:
        monkeypatch.setattr(sys, "stdin", text)
        with open_source("-") as source, open_source(str(file)) as same:
            assert source.is_rereadable
            assert source.digest() == same.digest()
            assert [row.values for row in read_rows(source, FIELDS)] == ROWS


def test_closed_standard_input_is_reported(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(NotFoundError, match="standard input is closed"):
        values("-")


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_device_is_rejected_even_as_standard_input(monkeypatch, device):
    with pytest.raises(NotFoundError, match=f"{device} can't be read: it is a device; allowed: a file, a pipe"):
        values(device)
    with open(device) as text:
        monkeypatch.setattr(sys, "stdin", text)
        with pytest.raises(NotFoundError, match="- can't be read: it is a device"):
            values("-")


def test_directory_is_rejected_even_as_standard_input(tmp_path, monkeypatch):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    folder = type("Folder", (), {"buffer": type("Buffer", (), {"fileno": lambda self: descriptor})()})()
    monkeypatch.setattr(sys, "stdin", folder)
    with pytest.raises(NotFoundError, match="- can't be read: Is a directory"):
        values("-")
    os.close(descriptor)


def test_socket_path_is_rejected(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        with pytest.raises(NotFoundError, match="it is a socket; allowed: a file"):
            values(path)


def test_closed_or_write_only_descriptor_is_rejected():
    with pytest.raises(NotFoundError, match="/dev/fd/987654 can't be read: Bad file descriptor"):
        values("/dev/fd/987654")
    reading, writing = os.pipe()
    with pytest.raises(NotFoundError, match="can't be read: Bad file descriptor"):
        values(f"/dev/fd/{writing}")
    os.close(reading)
    os.close(writing)


def test_non_utf8_file_name_is_shown_escaped(tmp_path):
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    file.write_bytes(CSV)
    with open_source(str(file)) as source:
        assert source.name == r"caf\xe9.csv"
        assert [row.values for row in read_rows(source, FIELDS)] == ROWS


def test_file_modified_while_being_read_is_detected_as_changed(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(CSV)
    with open_source(str(file)) as source:
        rows = read_rows(source, FIELDS)
        next(rows)
        assert not source.has_changed()
        with file.open("ab") as target:
            target.write(b"3,c\n")
        assert source.has_changed()
    with open_source(str(file)) as source:
        os.truncate(file, 10)
        assert source.has_changed()


def test_stream_without_descriptor_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CSV)))
    assert values("-") == ROWS
