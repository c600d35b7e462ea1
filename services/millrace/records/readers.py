"""Readers: a source, as CSV or JSON lines, to raw rows in constant memory."""

import itertools
from collections.abc import Iterator

import orjson

from millrace.errors import BadInput
from millrace.records.csv_rows import csv_rows
from millrace.records.lines import LINE_LIMIT, LongLine, RawRow, Source, opened, printable

__all__ = ["LINE_LIMIT", "RawRow", "Source", "opened", "printable", "rows"]


def rows(source: Source, fields: tuple[str, ...]) -> Iterator[RawRow]:
    """The rows of a source whose first character tells its format: `{` is JSON lines, else CSV with a header.

    Raises BadInput when a CSV header lacks one of `fields`.
    """
    lines = source.lines()
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("["):
        raise BadInput(
            f"{source.name} starts with `[`, a JSON array; allowed: JSON lines (an object a line) or CSV. "
            f"`jq -c '.[]' {source.name}` turns an array into lines.",
            code="bad_format",
            field="file",
        )
    if first.lstrip().startswith("{"):
        yield from _json_rows(itertools.chain([first], lines))
    elif first:
        yield from csv_rows(source.name, first, lines, fields)


def _json_rows(lines: Iterator[str]) -> Iterator[RawRow]:
    number = 0
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
        if isinstance(values, dict):
            yield RawRow(number, stripped, values)
        else:
            kind = type(values).__name__
            sentence = f"the line is a JSON {kind}; allowed: an object a line"
            yield RawRow(number, stripped, None, ("bad_json", sentence))
