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
def test_cell_heading_title_and_sentence_are_printed_verbatim(text):
    shown = printed(make_table(text, text, rows=[[text]]), force_terminal=True)
    assert shown.count(text) == 3
    assert printed(text, force_terminal=True) == text


def test_terminal_control_characters_are_printed_as_escapes():
    for shown in (printed(make_table(STEERING, STEERING, rows=[[STEERING], [None]])), printed(STEERING)):
        assert ESCAPED in shown
        assert not set(STEERING) - set("[2J31m") & set(shown)


def test_untrusted_newline_stays_inside_its_cell():
    assert r"a\nb" in printed(make_table(None, "raw", rows=[["a\nb"]]))


def run_in(encoding: str, command: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python as the command line sets its output up, in an environment of that encoding."""
    code = f"from millrace.cli import output; output.escape_unencodable(); {command}"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_non_utf8_output_uses_escapes(encoding):
    done = run_in(
        encoding, r"output.out.print(output.make_table('₹', 'é', rows=[['新\ud800']])); output.err.print('₹ é')"
    )
    assert done.returncode == 0, done.stderr
    assert rb"\u20b9" in done.stdout
    assert rb"\u65b0\ud800" in done.stdout
    assert rb"\u20b9" in done.stderr
    assert "é".encode(encoding, "backslashreplace") in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_valid_in_any_encoding(encoding):
    done = run_in(encoding, r"output.emit({'₹': ['é', '\U0001f600', '\x9b', '\udce9']}, True)")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode(encoding)) == {"₹": ["é", "\U0001f600", "\x9b", "\udce9"]}
    assert "\x9b" not in done.stdout.decode(encoding)


def test_error_message_is_printed_without_interpreting_its_content(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(output, "err", PlainConsole(file=file, soft_wrap=True, highlight=False, markup=False))

    @handle_errors
    def fail() -> None:
        raise BadInputError(f"no [/b] file {STEERING}.")

    with pytest.raises(output.typer.Exit) as ended:
        fail()
    assert ended.value.exit_code == 2
    assert file.getvalue() == f"error: no [/b] file {ESCAPED}.\n"


def test_progress_bar_shows_file_name_verbatim(monkeypatch):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    monkeypatch.setattr(output, "err", console)
    with output.progress_bar("reading [/b] {x} \x07") as progress:
        progress(1, 2)
    assert r"reading [/b] {x} \x07" in file.getvalue()


def test_stream_page_is_printed_on_one_line():
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


def test_json_document_round_trips_unchanged(capsys):
    emit({"a": "[/b]\x9b", "b": None}, True)
    stdout = capsys.readouterr().out
    assert json.loads(stdout) == {"a": "[/b]\x9b", "b": None}
    assert "\x9b" not in stdout
