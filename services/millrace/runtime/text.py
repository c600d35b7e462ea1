"""Text that strangers wrote, on its way to a terminal, a log or a page: shown as it stands, never obeyed.

Titles, ids, file names and answers of other servers may hold escape sequences, controls that turn the direction of the
text around, or what nobody sees. Whatever is printed goes through `make_printable`; data stay as they are.
"""

import json
import re
import reprlib
import sys
import traceback
from logging import LogRecord, setLogRecordFactory
from types import TracebackType
from typing import Any

import orjson

UNPRINTABLE = (
    r"\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: what a terminal obeys
    r"\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, or turning
    r"\ud800-\udfff\ue000-\uf8ff\ufffe\uffff"  # halves of pairs, and what has no meaning of its own
    r"\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
"""A class of characters, as regular expressions write it; web/page.js has the same one."""
JOINERS = r"(?<![^\x00-\u024f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u024f])"
"""Joiners outside the scripts and emoji that need them."""
_unprintable = re.compile(f"[{UNPRINTABLE}]|{JOINERS}")
_unprintable_but_newlines = re.compile(f"(?!\n)[{UNPRINTABLE}]|{JOINERS}")
_not_ascii = re.compile(r"[^\x00-\x7f]")
_named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

LONGEST_SHOWN = 80
"""Characters of a value in a message."""

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def make_printable(text: str, newlines: bool = False) -> str:
    r"""The text with what can't be seen, or would steer its reader, as escapes: `\x1b`, `\u202e`, `\U000e0041`.

    Letters of all scripts, emoji and blanks stay. `newlines` keeps line feeds.
    """
    if text.isascii() and text.isprintable():
        return text
    return (_unprintable_but_newlines if newlines else _unprintable).sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _named.get(character) or (f"\\x{code:02x}" if code < 0x100 else _escape_wide(code))


def _escape_wide(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def dump_json(value: object, indent: bool = False, encoding: str | None = None) -> str:
    r"""One JSON document for a terminal, a pipe or a file of that encoding (UTF-8 where none is given).

    What `make_printable` escapes, and what the encoding lacks, is written as `\uXXXX`: whoever parses the document gets
    the value as it stood. What is no JSON type becomes its `str`.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None, default=str).decode()
    except TypeError:  # halves of surrogate pairs, as in the name of a file that is not UTF-8
        separators = None if indent else (",", ":")
        text = json.dumps(value, indent=2 if indent else None, separators=separators, default=_jsonable)
    return printable_json(text, encoding)


def printable_json(text: str, encoding: str | None = None) -> str:
    r"""The same JSON document with `\uXXXX` for what `make_printable` escapes and what the encoding lacks."""
    if text.isascii() and "\x7f" not in text:
        return text
    text = _unprintable_but_newlines.sub(lambda match: _escape_json(match[0]), text)
    if encoding is None:
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return _not_ascii.sub(lambda match: _escape_json(match[0]), text)
    return text


def _escape_json(character: str) -> str:
    # Outside of strings JSON has ASCII alone: wherever this stands, an escape means the same.
    return json.dumps(character)[1:-1] if character != "\x7f" else r"\u007f"


def _jsonable(value: object) -> object:
    return orjson.loads(orjson.dumps(value, default=str))


class _Shown(reprlib.Repr):
    """Values in JSON's words, cut where they are long or deep."""

    def repr_bool(self, value: bool, _level: int) -> str:
        return "true" if value else "false"

    def repr_NoneType(self, _value: None, _level: int) -> str:  # noqa: N802 - reprlib finds it by the type's name
        return "null"


_shown = _Shown()


def show_value(value: object) -> str:
    """A value as a message shows it: text in quotes, JSON's null, true and false, at most LONGEST_SHOWN characters."""
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of too many digits"
    if isinstance(value, str):
        # Python's quotes escape most of what must be; the rest is what it takes for printable and a reader can't see.
        text = make_printable(repr(value[: LONGEST_SHOWN + 1]))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
    else:
        text = make_printable(_shown.repr(value))  # a list may be deep or long
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


class PrintableRecord(LogRecord):
    """A log record whose message is one line, and whose traceback steers no terminal."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        info: _ExcInfo | None = self.exc_info
        if info and info[0]:
            lines = traceback.format_exception(*info)
            self.exc_text = make_printable("".join(lines).rstrip("\n"), newlines=True)

    def getMessage(self) -> str:  # noqa: N802 - the name is logging's
        return make_printable(super().getMessage())


def _print_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(make_printable("".join(traceback.format_exception(kind, error, trace)), newlines=True))


def print_logs_safely() -> None:
    """Make every log record of this process, of whichever library, printable, and the traceback that it may end with.

    Each program calls it as it starts.
    """
    setLogRecordFactory(PrintableRecord)
    sys.excepthook = _print_fault
