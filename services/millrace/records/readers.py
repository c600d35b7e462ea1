"""Readers: a source, as CSV or JSON lines, to raw rows in constant memory."""

import re
from collections.abc import Iterator

from millrace.records.csv_rows import read_csv
from millrace.records.json_rows import array_error, read_json_lines
from millrace.records.lines import MAX_LINE_BYTES, RawRow, Source, to_printable
from millrace.records.names import FieldNames
from millrace.records.opening import open_source

__all__ = ["MAX_LINE_BYTES", "RawRow", "Source", "open_source", "read_rows", "to_printable"]
SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)


def read_rows(source: Source, fields: tuple[str, ...], names: FieldNames | None = None) -> Iterator[RawRow]:
    """The rows of a source whose first character tells its format: `{` is JSON lines, else CSV with a header.

    `names` knows in what spellings a CSV header may have the fields, and remembers what the source had; without it
    only `fields` are known. Raises BadInputError when a CSV header lacks one of `fields`.
    """
    names = names or FieldNames(([name] for name in fields), fields)
    lines = source.lines()
    first = next((line for line in lines if line.strip()), "")
    source.is_empty = not first
    # What Excel is told about the separator; the hint for another one names that of the header below it.
    if SEPARATOR.fullmatch(first.strip()):
        first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("["):
        raise array_error(source)
    if first.lstrip().startswith("{"):
        yield from read_json_lines(source, first, lines, names)
    elif first:
        yield from read_csv(source.name, first, lines, fields, names)
