"""CSV to raw rows. A row that is none costs itself only: the next one is read as if nothing had been."""

import csv
import itertools
import shlex
from collections.abc import Iterator

from millrace.errors import BadInputError
from millrace.records.lines import LongLine, RawRow, escape
from millrace.records.names import FieldNames, fold_name

FIELD_LIMIT = 131_072  # characters; what a quote that is never closed can run over before it is given up
csv.field_size_limit(FIELD_LIMIT)
DELIMITERS = {";": ("`;`", "chr(59)"), "\t": ("a tab", "chr(9)"), "|": ("`|`", "chr(124)")}
OPEN_QUOTE = "bad_csv", "the row is not CSV: a quote is opened and never closed; allowed: quotes in pairs"


class LineTooLongError(csv.Error):
    """Raised through the CSV reader, which begins a new row after it."""


class RowLines:
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
            raise LineTooLongError
        return line

    def give_back(self) -> None:
        """Keep the first line only: the others are rows of their own that an open quote ran over."""
        self._source = itertools.chain(self.lines[1:], self._source)
        del self.lines[1:]
        self.ended = False


def read_csv(
    name: str, first: str, lines: Iterator[str], fields: tuple[str, ...], names: FieldNames
) -> Iterator[RawRow]:
    """The rows after the header `first`.

    Raises BadInputError when the header lacks one of `fields` or has one twice.
    """
    header = _read_header(name, first, fields, names)
    taken = RowLines(lines)
    reader = csv.reader(taken, strict=True)
    number = 0
    while True:
        taken.lines.clear()
        cells, fault = [], None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except LineTooLongError:
            fault = OPEN_QUOTE if len(taken.lines) > 1 else LongLine.fault
        except csv.Error as error:
            # The reader asks for another line only inside quotes.
            fault = OPEN_QUOTE if taken.ended else _describe_fault(error, taken.lines)
        if fault:
            taken.give_back()
        elif not cells:
            continue
        elif len(cells) != len(header):
            sentence = f"the row has {len(cells)} fields; allowed: {len(header)}, as the header has"
            fault = "wrong_field_count", sentence + _backslash_hint(taken.lines)
        number += 1
        raw = "".join(taken.lines)
        if fault:
            short = fault[0] == "wrong_field_count" and len(cells) < len(header)
            yield RawRow(number, raw, dict(itertools.zip_longest(header, cells)) if short else None, fault)
        else:
            yield RawRow(number, raw, dict(zip(header, cells, strict=True)))


def _describe_fault(error: csv.Error, lines: list[str]) -> tuple[str, str]:
    allowed = r'quotes in pairs, a quote inside quotes doubled (""), \n or \r\n after a row'
    return "bad_csv", f"the row is not CSV: {error}; allowed: {allowed}{_backslash_hint(lines)}"


def _backslash_hint(lines: list[str]) -> str:
    """The hint for rows as Spark's own CSV writer makes them; read as CSV, their quotes end where they should not."""
    if not any('\\"' in line for line in lines):
        return ""
    return r""". The row has \", which only some programs write for a quote: Spark needs .option("escape", '"')"""


def _read_header(name: str, line: str, fields: tuple[str, ...], names: FieldNames) -> list[str]:
    """The columns as the contract calls them. Raises BadInputError."""
    try:
        if isinstance(line, LongLine):
            raise LineTooLongError(LongLine.fault[1])
        columns = [column.strip() for column in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        cure = "its lines end with \\r alone: `tr '\\r' '\\n'` mends that." if "\r" in line.strip() else ""
        cure = cure or _delimiter_hint(name, line, fields)
        raise BadInputError(
            f"{name} starts with '{escape(line[:80])}', which is no CSV header: {cure or f'{error}.'}",
            code="bad_header",
            field="file",
        ) from None
    header = names.match(name, columns)
    lacking = [column for column in fields if column not in header]
    if not lacking:
        return header
    if cure := _delimiter_hint(name, line, fields):
        what = f"{name} has no column {', '.join(lacking)}: {cure}"
    else:
        what = (
            f"{name} has no column {', '.join(lacking)}; its header is {escape(', '.join(columns)[:300])}. "
            "Rename the columns or add a header line."
        )
    raise BadInputError(what, code="bad_header", field=lacking[0], allowed=", ".join(fields))


def _delimiter_hint(name: str, line: str, fields: tuple[str, ...]) -> str:
    """What to do about a header whose columns are parted by something else; empty where they are not."""
    for delimiter, (called, written) in DELIMITERS.items():
        columns = {fold_name(column) for column in line.split(delimiter)}
        if delimiter in line and columns.intersection(map(fold_name, fields)):
            file = "FILE" if name == "-" else shlex.quote(name)
            code = f"import csv, sys; csv.writer(sys.stdout).writerows(csv.reader(sys.stdin, delimiter={written}))"
            return (
                f"its columns are separated by {called}; allowed: a comma. `python3 -c {shlex.quote(code)} < {file} "
                "> NEW.csv` rewrites it; numbers must have a decimal point, not a comma."
            )
    return ""
