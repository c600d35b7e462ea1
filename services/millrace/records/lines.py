"""Lines: an open source as lines of text, in constant memory."""

import hashlib
import lzma
import os
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from millrace.errors import BadInputError, NotFoundError

MAX_LINE_BYTES = 1_000_000  # bytes of a line; a longer one is rejected, so that a file without line ends is no trap
HASH_CHUNK_BYTES = 1 << 20


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

    fault = "line_too_long", f"the line is too long; allowed: at most {MAX_LINE_BYTES} bytes"


class Source:
    """An open source. `position` and `size` are bytes of the file as stored; size is None for what is no file.

    `form` names what it is packed or encoded in, for the sentence about a damaged one. `descriptor` is that of a
    regular file, the only kind whose bytes can be had a second time; None for pipes and all else.
    """

    def __init__(
        self,
        name: str,
        stored: BinaryIO,
        plain: BinaryIO,
        size: int | None,
        form: str = "",
        descriptor: int | None = None,
        start: int = 0,
    ):
        self.name, self.size = name, size
        self.is_empty = True
        """Whether no line but blank ones has been read."""
        self._stored, self._plain, self._form = stored, plain, form
        self._descriptor, self._start = descriptor, start
        self._state = self._stamp()

    @property
    def position(self) -> int:
        return self._stored.tell() if self.size is not None else 0

    @property
    def is_rereadable(self) -> bool:
        """Whether this is a regular file: asked of the open file, never of its name."""
        return self._descriptor is not None

    def digest(self) -> str:
        """BLAKE2b of a regular file's stored bytes, 32 hex digits; the position of reading stays where it is."""
        assert self._descriptor is not None, "only a regular file has a digest"
        digest, offset = hashlib.blake2b(digest_size=16), self._start
        try:
            while chunk := os.pread(self._descriptor, HASH_CHUNK_BYTES, offset):
                digest.update(chunk)
                offset += len(chunk)
        except OSError as error:
            raise unreadable_error(self.name, error) from None
        return digest.hexdigest()

    def has_changed(self) -> bool:
        """Whether a regular file was written to since it was opened; of a pipe nobody can know."""
        return self._stamp() != self._state

    def lines(self) -> Iterator[str]:
        """Lines with their ends, as text; bytes that are not UTF-8 become surrogates, which no field accepts.

        Raises BadInputError for damaged bytes and NotFoundError where the system can't read on.
        """
        first = True
        try:
            while line := self._plain.readline(MAX_LINE_BYTES + 1):
                text = line.decode("utf-8-sig" if first else "utf-8", "surrogateescape")
                first = False
                if len(line) <= MAX_LINE_BYTES:
                    yield text
                    continue
                yield LongLine(text)
                while line and not line.endswith(b"\n"):
                    line = self._plain.readline(MAX_LINE_BYTES)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError) as error:
            raise unreadable_error(self.name, error, self._form) from None

    def _stamp(self) -> tuple[int, int] | None:
        if self._descriptor is None:
            return None
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns


def unreadable_error(name: str, error: Exception, form: str = "") -> BadInputError:
    """The error for a source that can't be read (on): the system's reason, or that its bytes are damaged."""
    if isinstance(error, OSError) and error.errno is not None:
        return NotFoundError(f"{name} can't be read: {error.strerror}.", code="no_such_file", field="file")
    return BadInputError(f"{name} is a damaged {form or 'file'}: {error}.", code="damaged_file", field="file")


def to_printable(text: str) -> str:
    """Text in which bytes that were not UTF-8 are shown as escapes, so that JSON and a terminal can carry it."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def escape(text: str) -> str:
    """Text as a sentence may quote it: printable, and control characters are escapes too."""
    text = to_printable(text)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
