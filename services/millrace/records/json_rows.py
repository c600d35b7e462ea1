"""JSON lines to raw rows."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import orjson

from millrace.errors import BadInputError
from millrace.records.lines import LongLine, RawRow, Source, escape
from millrace.records.names import FieldNames
from millrace.records.sniff import format_error


class _RepeatedKeyError(ValueError):
    """Raised through the parser with the key that an object holds twice."""


def read_json_lines(source: Source, first: str, lines: Iterator[str], names: FieldNames) -> Iterator[RawRow]:
    """The rows of JSON lines. Raises BadInputError for a document of several lines."""
    lines = itertools.chain([first], _refuse_document(source, first, lines))
    shapes, number = names.shapes, 0
    for line in lines:
        stripped = line.strip()
        if not stripped:
            continue
        number += 1
        if isinstance(line, LongLine):
            yield RawRow(number, line, None, LongLine.fault)
            continue
        try:
            values = orjson.loads(stripped)
        except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
            sentence = f"the line is not JSON: {error}; allowed: an object a line"
            yield RawRow(number, stripped, None, ("bad_json", sentence))
            continue
        if not isinstance(values, dict):
            kind = type(values).__name__
            sentence = f"the line is a JSON {kind}; allowed: an object a line"
            yield RawRow(number, stripped, None, ("bad_json", sentence))
        # The first half of repeated_key, without a call: it holds for nearly all rows.
        elif stripped.count('"') != 2 * (len(values) + [*map(type, values.values())].count(str)) and (
            fault := find_repeated_key(stripped, values)
        ):
            yield RawRow(number, stripped, None, fault)
        else:
            if (keys := tuple(values)) not in shapes:
                names.note(keys)
            yield RawRow(number, stripped, values)


def find_repeated_key(text: str, values: dict[str, Any]) -> tuple[str, str] | None:
    """The fault (code, sentence) of a JSON object in which a key stands twice: a parser keeps the last one silently.

    `values` are what `text` was parsed to. Every key and every string has two quotes in the text: where it has no
    more than that, no key was lost. Only a text with more, a lost key's or escaped ones, is parsed again.
    """
    if text.count('"') == 2 * _count_strings(values):
        return None
    try:
        json.loads(text, object_pairs_hook=_unique)
    except _RepeatedKeyError as error:
        key = escape(str(error)[:80])
        return "bad_json", f"the key {key!r} stands twice in an object; allowed: once, since only one can be meant"
    except RecursionError:
        return "bad_json", "the line is nested too deep; allowed: some hundred levels"
    return None


def _count_strings(value: dict[str, Any] | list[Any]) -> int:
    """Keys and strings of a JSON value, at every depth."""
    count, inner = 0, [value]
    while inner:
        value = inner.pop()
        if isinstance(value, dict):
            count += len(value)
            value = list(value.values())
        types = [*map(type, value)]
        count += types.count(str)
        if dict in types or list in types:
            inner += [part for part in value if isinstance(part, dict | list)]
    return count


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return unique


def _refuse_document(source: Source, first: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines after the first. Raises BadInputError where both together begin a document that runs over lines."""
    try:
        orjson.loads(first)
        return lines
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        second = next((line for line in lines if line.strip()), None)
    if second is None:
        return lines
    if not second.lstrip().startswith("{") and not isinstance(first, LongLine):
        raise multiline_error(source)
    return itertools.chain([second], lines)


def multiline_error(source: Source) -> BadInputError:
    """The error for a JSON object that runs over several lines."""
    what = "holds JSON objects that run over several lines, as pretty-printed JSON does; JSON lines are one a line"
    return format_error(source.name, what, "`jq -c . {file} > NEW.jsonl` puts each on a line of its own")


def array_error(source: Source) -> BadInputError:
    """The error for a JSON array."""
    what = "starts with `[`, a JSON array; JSON lines are an object a line"
    return format_error(source.name, what, "`jq -c '.[]' {file} > NEW.jsonl` turns an array into lines")
