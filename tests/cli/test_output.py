"""What the command line prints: text of strangers as it stands, on any terminal, in any encoding."""

import io
import json
import os
import subprocess
import sys

import orjson
import pytest
from rich.console import Console

from millrace.cli import output
from millrace.cli.consume import format_line, printable_line
from millrace.cli.output import PlainConsole, emit, handle_errors, make_table
from millrace.errors import BadInputError

FOREIGN = [
    "[/part 1]",
    "[bold]loud[/]",
    "[link=https://evil.example]x[/link]",
    ":smile:",
    "{0}",
    "%s",
    "$x^2$",
    "新闻 ₹",
]
STEERING = "\x1b[2J\x07\x9b31m\u202e\ud800"
ESCAPED = r"\x1b[2J\x07\x9b31m\u202e\ud800"


def printed(what, **options) -> str:
    """What a console for people shows of it, without the blanks that fill its lines."""
    file = io.StringIO()
    PlainConsole(file=file, width=100, highlight=False, markup=False, emoji=False, **options).print(what)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


@pytest.mark.parametrize("text", FOREIGN)
def test_a_cell_a_heading_a_title_and_a_sentence_are_shown_as_they_stand(text):
    shown = printed(make_table(text, text, rows=[[text]]), force_terminal=True)
    assert shown.count(text) == 3
    assert printed(text, force_terminal=True) == text


def test_what_steers_a_terminal_is_shown_as_escapes():
    for shown in (printed(make_table(STEERING, STEERING, rows=[[STEERING], [None]])), printed(STEERING)):
        assert ESCAPED in shown
        assert not set(STEERING) - set("[2J31m") & set(shown)


def test_a_line_of_a_stranger_stays_in_its_cell():
    assert r"a\nb" in printed(make_table(None, "raw", rows=[["a\nb"]]))


def run_in(encoding: str, command: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python as the command line sets its output up, in an environment of that encoding."""
    code = f"from millrace.cli import output; output.escape_unencodable(); {command}"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_output_that_is_not_utf_8_gets_escapes(encoding):
    done = run_in(
        encoding, r"output.out.print(output.make_table('₹', 'é', rows=[['新\ud800']])); output.err.print('₹ é')"
    )
    assert done.returncode == 0, done.stderr
    assert rb"\u20b9" in done.stdout
    assert rb"\u65b0\ud800" in done.stdout
    assert rb"\u20b9" in done.stderr
    assert "é".encode(encoding, "backslashreplace") in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_any_encoding(encoding):
    done = run_in(encoding, r"output.emit({'₹': ['é', '\U0001f600', '\x9b', '\udce9']}, True)")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode(encoding)) == {"₹": ["é", "\U0001f600", "\x9b", "\udce9"]}
    assert "\x9b" not in done.stdout.decode(encoding)


def test_an_error_is_its_sentence_and_nothing_in_it_is_obeyed(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(output, "err", PlainConsole(file=file, soft_wrap=True, highlight=False, markup=False))

    @handle_errors
    def fail() -> None:
        raise BadInputError(f"no [/b] file {STEERING}.")

    with pytest.raises(output.typer.Exit) as ended:
        fail()
    assert ended.value.exit_code == 2
    assert file.getvalue() == f"error: no [/b] file {ESCAPED}.\n"


def test_a_progress_bar_shows_the_name_of_a_file_as_it_stands(monkeypatch):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    monkeypatch.setattr(output, "err", console)
    with output.progress_bar("reading [/b] {x} \x07") as progress:
        progress(1, 2)
    assert r"reading [/b] {x} \x07" in file.getvalue()


def test_a_page_of_a_stream_is_printed_in_one_line():
    page = {
        "timestamp": "2026",
        "cluster": 3,
        "label": "[b]a[/b]",
        "title": "one\ntwo \x1b[2J",
        "url": "https://x.example",
    }
    line = orjson.dumps(page)
    assert format_line(line) == r"2026  3 ([b]a[/b])  one\ntwo \x1b[2J  https://x.example"
    assert json.loads(printable_line(line)) == page


def test_a_document_is_what_was_given(capsys):
    emit({"a": "[/b]\x9b", "b": None}, True)
    stdout = capsys.readouterr().out
    assert json.loads(stdout) == {"a": "[/b]\x9b", "b": None}
    assert "\x9b" not in stdout
