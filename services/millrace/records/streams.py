"""Byte streams over byte streams, each in constant memory: a beginning given back, unpacking, another encoding."""

import bz2
import codecs
import io
import lzma
from collections.abc import Callable
from typing import BinaryIO, Protocol

CHUNK_BYTES = 1 << 16
XZ_MEMORY_BYTES = 256 << 20  # `xz -9` needs 65 MiB; a header may ask for 4 GiB


class Decompressor(Protocol):
    """What bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _read_some(stream: BinaryIO, most: int = CHUNK_BYTES) -> bytes:
    """What a buffered stream has at once, or else what it gets next; nothing at its end."""
    return stream.read1(most)  # pyright: ignore[reportAttributeAccessIssue] - BinaryIO does not know it


class _Readable(io.RawIOBase):
    def readable(self) -> bool:
        return True


class PrefixedStream(_Readable):
    """A stream whose first bytes were read already: these once more, then the rest.

    It never waits for more than the source gives at once, so that a live source is read row by row.
    """

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        # Not readinto1, which reads on for what fills a large buffer although it has something to return.
        data = self._head[: len(buffer)] or _read_some(self._rest, len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


class UnpackedStream(_Readable):
    """What bz2 and xz streams hold, one after the other; zeros between and after them are padding.

    Raises EOFError for one that ends too early, OSError or LZMAError for a damaged one.
    """

    def __init__(self, packed: BinaryIO, begin: Callable[[], Decompressor]) -> None:
        self._packed, self._begin = packed, begin
        self._stream = begin()

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        while True:
            data = b""
            if self._stream.eof:
                data = (self._stream.unused_data or _read_some(self._packed)).lstrip(b"\0")
                while not data:
                    if not (data := _read_some(self._packed)):
                        return 0
                    data = data.lstrip(b"\0")
                self._stream = self._begin()
            elif self._stream.needs_input and not (data := _read_some(self._packed)):
                raise EOFError("it ends in the middle")
            if unpacked := self._stream.decompress(data, len(buffer)):
                buffer[: len(unpacked)] = unpacked
                return len(unpacked)


class RecodedStream(_Readable):
    """Text of another Unicode encoding as UTF-8. Raises UnicodeDecodeError where the bytes end inside a character.

    A surrogate without its pair stays one, which no field accepts: it costs its row, not the file.
    """

    def __init__(self, stored: BinaryIO, encoding: str) -> None:
        self._stored = stored
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._ready = b""

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        chunk = b"?"
        while not self._ready and chunk:
            chunk = _read_some(self._stored)
            self._ready = self._decoder.decode(chunk, final=not chunk).encode("utf-8", "surrogatepass")
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count


def make_bz2_decompressor() -> Decompressor:
    """A decompressor of one bz2 stream."""
    return bz2.BZ2Decompressor()


def make_xz_decompressor() -> Decompressor:
    """A decompressor of one xz stream, within XZ_MEMORY_BYTES."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)


def buffer(raw: io.RawIOBase) -> io.BufferedReader:
    """The stream with a buffer, as whole lines are read from it."""
    return io.BufferedReader(raw, CHUNK_BYTES)
