"""Readers: a file, a gz file or standard input, as CSV or JSON lines, to raw rows in constant memory."""

import csv
import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from millrace.errors import BadInput, NotFound

LINE_LIMIT = 1_000_000  # bytes of a line; a longer one is rejected, so that a file without line ends is no trap
csv.field_size_limit(LINE_LIMIT)


@dataclass(frozen=True)
class RawRow:
    """One row as it stood: `values` when it could be cut into fields, else `fault` (code, sentence)."""

    number: int
    raw: str
    values: dict[str, Any] | None
    fault: tuple[str, str] | None = None


class Source:
    """An open source. `position` and `size` are bytes of the file as stored; size is None for standard input."""

    def __init__(self, name: str, stored: BinaryIO, plain: BinaryIO, size: int | None):
        self.name, self.size = name, size
        self._stored, self._plain = stored, plain

    @property
    def position(self) -> int:
        return self._stored.tell() if self.size is not None else 0

    def lines(self) -> Iterator[str]:
        """Lines with their ends, as text; bytes that are not UTF-8 become surrogates, which no field accepts."""
        first = True
        while line := self._plain.readline(LINE_LIMIT + 1):
            if len(line) > LINE_LIMIT:
                yield line[:200].decode("utf-8", "surrogateescape") + "\0too long"
                while line and not line.endswith(b"\n"):
                    line = self._plain.readline(LINE_LIMIT)
                continue
            yield line.decode("utf-8-sig" if first else "utf-8", "surrogateescape")
            first = False


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """Open a file, a `.gz` file or `-` for standard input. Raises NotFound or BadInput with a sentence."""
    if path == "-":
        yield Source("-", sys.stdin.buffer, sys.stdin.buffer, None)
        return
    file = Path(path)
    try:
        stored = file.open("rb")
    except OSError as error:
        raise NotFound(f"{path} can't be read: {error.strerror}.", code="no_such_file", field="file") from None
    with stored:
        compressed = stored.peek(2)[:2] == b"\x1f\x8b"
        plain = gzip.GzipFile(fileobj=stored) if compressed else stored
        try:
            yield Source(file.name, stored, plain, file.stat().st_size)
        except (EOFError, gzip.BadGzipFile) as error:
            raise BadInput(f"{path} is a damaged gz file: {error}.", code="damaged_file", field="file") from None


def rows(source: Source, fields: tuple[str, ...]) -> Iterator[RawRow]:
    """The rows of a source whose first character tells its format: `{` is JSON lines, else CSV with a header.

    Raises BadInput when a CSV header lacks one of `fields`.
    """
    lines = source.lines()
    first = next(lines, "")
    if first.lstrip().startswith("["):
        raise BadInput(
            f"{source.name} starts with `[`, a JSON array; allowed: JSON lines (an object a line) or CSV. "
            f"`jq -c '.[]' {source.name}` turns an array into lines.",
            code="bad_format",
            field="file",
        )
    if first.lstrip().startswith("{"):
        yield from _json_rows(first, lines)
    elif first.strip():
        yield from _csv_rows(source.name, first, lines, fields)


def _json_rows(first: str, lines: Iterator[str]) -> Iterator[RawRow]:
    number = 0
    while first or (first := next(lines, "")):
        line, first = first.strip(), ""
        if not line:
            continue
        number += 1
        try:
            values = orjson.loads(line)
        except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
            yield RawRow(number, line, None, ("bad_json", f"the line is not JSON: {error}; allowed: an object a line"))
            continue
        if isinstance(values, dict):
            yield RawRow(number, line, values)
        else:
            kind = type(values).__name__
            yield RawRow(number, line, None, ("bad_json", f"the line is a JSON {kind}; allowed: an object a line"))


def _csv_rows(name: str, first: str, lines: Iterator[str], fields: tuple[str, ...]) -> Iterator[RawRow]:
    header = [column.strip() for column in next(csv.reader([first]))]
    if lacking := [column for column in fields if column not in header]:
        raise BadInput(
            f"{name} has no column {', '.join(lacking)}; its header is {', '.join(header)[:300]}. "
            "Rename the columns or add a header line.",
            code="bad_header",
            field=lacking[0],
            allowed=", ".join(fields),
        )
    taken: list[str] = []

    def remembered() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(remembered())
    number = 0
    while True:
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield RawRow(number, "".join(taken)[:LINE_LIMIT], None, ("bad_csv", f"the row is not CSV: {error}"))
            continue
        if not cells:
            continue
        number += 1
        raw = "".join(taken) if len(taken) > 1 else taken[0]
        if len(cells) == len(header):
            yield RawRow(number, raw, dict(zip(header, cells, strict=True)))
        else:
            sentence = f"the row has {len(cells)} fields; allowed: {len(header)}, as the header has"
            yield RawRow(number, raw, None, ("wrong_field_count", sentence))
