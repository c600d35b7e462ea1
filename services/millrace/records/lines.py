"""Lines: a file, a gz file or standard input as lines of text, in constant memory."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from millrace.errors import BadInput, NotFound

LINE_LIMIT = 1_000_000  # bytes of a line; a longer one is rejected, so that a file without line ends is no trap


class RawRow(NamedTuple):
    """One row as it stood: `values` when it could be cut into fields, else `fault` (code, sentence).

    A CSV row with too few fields has both: its values as far as they go, None for the rest.
    """

    number: int
    raw: str
    values: dict[str, Any] | None
    fault: tuple[str, str] | None = None


class LongLine(str):
    """The beginning of a line of more than LINE_LIMIT bytes."""

    fault = "line_too_long", f"the line is too long; allowed: at most {LINE_LIMIT} bytes"


class Source:
    """An open source. `position` and `size` are bytes of the file as stored; size is None for standard input."""

    def __init__(self, name: str, stored: BinaryIO, plain: BinaryIO | gzip.GzipFile, size: int | None):
        self.name, self.size = name, size
        self._stored, self._plain = stored, plain

    @property
    def position(self) -> int:
        return self._stored.tell() if self.size is not None else 0

    def lines(self) -> Iterator[str]:
        """Lines with their ends, as text; bytes that are not UTF-8 become surrogates, which no field accepts."""
        first = True
        while line := self._plain.readline(LINE_LIMIT + 1):
            text = line.decode("utf-8-sig" if first else "utf-8", "surrogateescape")
            first = False
            if len(line) <= LINE_LIMIT:
                yield text
                continue
            yield LongLine(text)
            while line and not line.endswith(b"\n"):
                line = self._plain.readline(LINE_LIMIT)


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
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BadInput(f"{path} is a damaged gz file: {error}.", code="damaged_file", field="file") from None


def printable(text: str) -> str:
    """Text in which bytes that were not UTF-8 are shown as escapes, so that JSON and a terminal can carry it."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
