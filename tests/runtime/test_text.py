"""Text of strangers is shown as it stands: what a terminal, a page or a log would obey becomes an escape."""

import json
import logging
import re
import sys

import pytest

from millrace.runtime import text
from millrace.runtime.text import dump_json, make_printable, print_logs_safely, show_value
from millrace.web import load_files

STEERING = {
    "\x1b[2J": r"\x1b[2J",
    "\x07\x00": r"\x07\x00",
    "\x7f\x9b1m": r"\x7f\x9b1m",
    "\u202eevil": r"\u202eevil",
    "\u2066a\u2069": r"\u2066a\u2069",
    "a\u2028b\u2029": r"a\u2028b\u2029",
    "zero\u200bwidth\ufeff": r"zero\u200bwidth\ufeff",
    "half \ud800": r"half \ud800",
    "own \ue000 \U000f0000": r"own \ue000 \U000f0000",
    "tag \U000e0041": r"tag \U000e0041",
    "pay\u200dpal": r"pay\u200dpal",
    "two\nlines\r\t.": r"two\nlines\r\t.",
}
PLAIN = [
    "plain [bold]text[/] :smile: {0} $x$",
    "Cafés, straße, Ωμέγα, кириллица",
    "日本語　テキスト",
    "مرحبا می‌خواهم",
    "नमस्ते क्‍ष",
    "👨‍👩‍👧 🇩🇪 ☎️",
    "10 000 \u202f€",
    "back\\slash",
]


@pytest.mark.parametrize(("parameters", "shown"), STEERING.items(), ids=map(ascii, STEERING))
def test_control_and_invisible_characters_are_escaped(parameters, shown):
    assert make_printable(parameters) == shown


@pytest.mark.parametrize("parameters", PLAIN)
def test_letters_of_all_scripts_are_kept(parameters):
    assert make_printable(parameters) == parameters


def test_newlines_are_kept_on_request():
    assert make_printable("a\nb\x1b", newlines=True) == "a\nb\\x1b"


@pytest.mark.parametrize("encoding", [None, "ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("indent", [False, True])
@pytest.mark.parametrize("value", [*STEERING, *PLAIN, "₹ \U0001f600 é\x9b"], ids=ascii)
def test_json_preserves_value_in_any_output_encoding(value, indent, encoding):
    document = dump_json({value: [value]}, indent, encoding)
    assert json.loads(document) == {value: [value]}
    document.encode(encoding or "utf-8")
    assert make_printable(document, newlines=True) == document


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        ([None, False, {"a": None}], "[null, false, {'a': null}]"),
        ("it's \x1b\u202e", '"it\'s \\x1b\\u202e"'),
        (10**400, "a number of too many digits"),
        ("x" * 200, "'" + "x" * 76 + "..."),
    ],
)
def test_value_in_message_uses_json_literals(value, shown):
    assert show_value(value) == shown


def test_logged_text_cannot_forge_lines_or_control_terminal(capsys):
    before, hook = logging.getLogRecordFactory(), sys.excepthook
    log = logging.getLogger("tests.text")
    handler = logging.StreamHandler()
    log.addHandler(handler)
    log.propagate = False
    try:
        print_logs_safely()
        log.warning("id %s", "a\nERROR forged \x1b[31m")
        try:
            raise ValueError("bad \x1b]0;title\x07")
        except ValueError as error:
            log.exception("a fault")
            sys.excepthook(type(error), error, error.__traceback__)
    finally:
        logging.setLogRecordFactory(before)
        sys.excepthook = hook
        log.removeHandler(handler)
        log.propagate = True
    stderr = capsys.readouterr().err
    assert r"id a\nERROR forged \x1b[31m" in stderr.splitlines()
    assert stderr.splitlines().count(r"ValueError: bad \x1b]0;title\x07") == 2
    assert not {"\x1b", "\x07"} & set(stderr)


def test_web_pages_escape_same_characters_as_python():
    script = load_files()["page.js"][1].decode()
    begin = script.index("const UNPRINTABLE")
    written = "".join(re.findall(r'"([^"]*)"', script[begin : script.index('"gu")', begin)]))
    of_page = re.sub(r"\\u\{?([0-9a-f]+)\}?", lambda match: chr(int(match[1], 16)), written.replace(r"\\", "\\"))
    of_python = rf"(?!\n)[{text.UNPRINTABLE}]|{text.JOINERS}"
    of_python = re.sub(r"\\[xuU]([0-9a-f]+)", lambda match: chr(int(match[1], 16)), of_python)
    assert of_page == of_python
