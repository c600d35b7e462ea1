"""CSV to raw rows. A row that is none costs itself only: the next one is read as if nothing had been."""

import csv
import itertools
from collections.abc import Iterator

from millrace.errors import BadInput
from millrace.records.lines import LongLine, RawRow, printable

FIELD_LIMIT = 131_072  # characters; what a quote that is never closed can run over before it is given up
csv.field_size_limit(FIELD_LIMIT)
OPEN_QUOTE = "bad_csv", "the row is not CSV: a quote is opened and never closed; allowed: quotes in pairs"


class LineTooLong(csv.Error):
    """Raised through the CSV reader, which begins a new row after it."""


class Taken:
    """The lines that the CSV reader took for the present row. A generator could not go on after raising."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines: list[str] = []
        self.ended = False
        self._source = lines

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._source)
        except StopIteration:
            self.ended = True
            raise
        self.lines.append(line)
        if isinstance(line, LongLine):
            raise LineTooLong
        return line

    def give_back(self) -> None:
        """Keep the first line only: the others are rows of their own that an open quote ran over."""
        self._source = itertools.chain(self.lines[1:], self._source)
        del self.lines[1:]
        self.ended = False


def csv_rows(name: str, first: str, lines: Iterator[str], fields: tuple[str, ...]) -> Iterator[RawRow]:
    """The rows after the header `first`. Raises BadInput when the header lacks one of `fields`."""
    header = _header(name, first)
    if lacking := [column for column in fields if column not in header]:
        raise BadInput(
            f"{name} has no column {', '.join(lacking)}; its header is {printable(', '.join(header)[:300])}. "
            "Rename the columns or add a header line.",
            code="bad_header",
            field=lacking[0],
            allowed=", ".join(fields),
        )
    taken = Taken(lines)
    reader = csv.reader(taken)
    number = 0
    while True:
        taken.lines.clear()
        cells, fault = [], None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except LineTooLong:
            fault = OPEN_QUOTE if len(taken.lines) > 1 else LongLine.fault
            taken.give_back()
        except csv.Error as error:
            fault = "bad_csv", f"the row is not CSV: {error}; allowed: quotes in pairs, \\n or \\r\\n after a row"
            taken.give_back()
        if not cells and not fault:
            continue
        if taken.ended:  # the reader asks for another line only inside quotes
            fault = OPEN_QUOTE
            taken.give_back()
        if not fault and len(cells) != len(header):
            sentence = f"the row has {len(cells)} fields; allowed: {len(header)}, as the header has"
            fault = "wrong_field_count", sentence
        number += 1
        raw = "".join(taken.lines)
        if fault:
            short = fault[0] == "wrong_field_count" and len(cells) < len(header)
            yield RawRow(number, raw, dict(itertools.zip_longest(header, cells)) if short else None, fault)
        else:
            yield RawRow(number, raw, dict(zip(header, cells, strict=True)))


def _header(name: str, line: str) -> list[str]:
    try:
        if isinstance(line, LongLine):
            raise LineTooLong(LongLine.fault[1])
        return [column.strip() for column in next(csv.reader([line]))]
    except csv.Error as error:
        raise BadInput(
            f"{name} starts with {printable(line[:80])!r}, which is no CSV header: {error}.",
            code="bad_header",
            field="file",
        ) from None
