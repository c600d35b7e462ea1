"""The command line as people meet it: help with examples, one sentence an error, and exit codes."""

import json
import subprocess
import sys

import pytest
import typer

from millrace.cli.main import app
from tests.conftest import generated, real_file
from tests.pipeline.command import millrace


def commands() -> list[list[str]]:
    """Every command and subcommand."""
    results = []
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        results += [[name, sub] for sub in inner] if inner else [[name]]
    return results


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help_with_example(command):
    done = subprocess.run(
        [sys.executable, "-m", "millrace.cli", *command, "--help"], capture_output=True, text=True, check=True
    )
    assert "Example" in done.stdout
    assert f"millrace {' '.join(command)}" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "code", "output"),
    [
        (["validate", "cources", "x.csv"], 2, "There is no workload 'cources'; allowed: catalogue, courses"),
        (["validate", "courses", "/no/such/file.csv"], 2, "/no/such/file.csv can't be read: No such file"),
        (["validate", "courses", "/tmp"], 2, "can't be read: Is a directory"),
        (["ingest", "courses", "x.csv", "--rate", "fast"], 2, "--rate 'fast' is not a rate; allowed: rows per time"),
        (["ingest", "courses", "x.csv", "--limit", "0"], 2, "--limit 0 is not usable; allowed: 1 or more"),
        (["train", "courses", "--model", "prize"], 2, "There is no model 'courses/prize'; allowed: courses/popularity"),
        (["train", "courses", "--window", "1/2"], 2, "--window '1/2' is not a window; allowed: 1/3, 2/3, all"),
        (["trace", "courses", "x"], 2, "There is no model 'courses'; allowed: courses/popularity"),
        (["generate", "courses", "--out", "/no/such/folder/x.csv"], 2, "can't be written: No such file"),
    ],
)
def test_invalid_arguments_give_one_sentence_and_exit_code_2(arguments, code, output):
    result, body, _ = millrace(*arguments)
    assert result == code
    assert output in body["error"]["message"]


def test_error_without_json_is_one_line_on_stderr():
    done = subprocess.run(
        [sys.executable, "-m", "millrace.cli", "validate", "courses", "/no/such/file.csv"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip() == "error: /no/such/file.csv can't be read: No such file or directory."


def test_invalid_setting_is_reported_with_its_value(monkeypatch):
    monkeypatch.setenv("MILLRACE_API_PORT", "eighty")
    code, body, _ = millrace("status")
    assert code == 2
    assert "MILLRACE_API_PORT='eighty' is not usable" in body["error"]["message"]


def test_commands_needing_stack_report_when_it_is_down(monkeypatch, tmp_path):
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    monkeypatch.setenv("MILLRACE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("MILLRACE_KAFKA_TIMEOUT", "1")
    code, body, _ = millrace("rejected", "count", "courses")
    assert code == 5
    assert "`millrace up` starts it" in body["error"]["message"]
    code, body, _ = millrace("status")
    assert code == 5
    assert body["phase"] == "stopped"


def test_generate_gives_same_rows_for_same_seed(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    assert millrace("generate", "courses", "--rows", "50", "--seed", "3", "--out", str(first))[0] == 0
    assert millrace("generate", "courses", "--rows", "50", "--seed", "3", "--out", str(second))[0] == 0
    counts = [millrace("validate", "courses", str(file))[1] for file in (first, second)]
    assert counts[0] == counts[1]
    assert counts[0]["read"] == 50


def test_validate_reads_standard_input(tmp_path):
    from millrace.workloads import find_workload

    file = generated(find_workload("products"), 40, 5, tmp_path)
    code, counts, _ = millrace("validate", "products", "-", stdin=file.read_bytes())
    assert code == 0
    assert counts["read"] == 40


@pytest.mark.real_data
def test_validate_counts_of_real_files_match_their_description():
    _, courses, _ = millrace("validate", "courses", str(real_file("udemy_courses.csv")))
    assert (courses["read"], courses["accepted"], courses["duplicates"]) == (3678, 3667, 6)
    assert courses["rejected"] == {"swallowed_record": 5}
    _, products, _ = millrace("validate", "products", str(real_file("amazon.csv")))
    assert (products["read"], products["accepted"], products["conflicts"]) == (1465, 1465, 33)
    assert json.loads(json.dumps(products["rejected"])) == {}
