"""Decompresses request bodies as they arrive and applies the body limit to the output."""

import zlib
from collections.abc import Callable

from starlette.types import Message, Receive

from millrace.errors import BadInputError, MillraceError

MakeError = Callable[[int, str], MillraceError]
"""The error for a body over a limit, in words of what it has."""
ZLIB_WINDOW_BITS = 15
GZIP_WINDOW_BITS = ZLIB_WINDOW_BITS + 16
"""zlib's words for the gzip format; WINDOW alone is zlib's own, -WINDOW a bare stream."""
MIN_COMPRESSED_BYTES = 1_000
"""Bytes of an answer below which compressing it is not worth it."""


class BodyDecompressor:
    """Unpacks one body; `coding` is in lower case, `limit` the most bytes that come out, `too_large` its error."""

    def __init__(self, coding: bytes, limit: int, too_large: MakeError):
        self.coding, self.limit, self.too_large = coding, limit, too_large
        self._stream = None if self.coding == b"deflate" else zlib.decompressobj(GZIP_WINDOW_BITS)
        self._left = limit

    def feed(self, data: bytes) -> bytes:
        """What the next bytes come to.

        Raises BadInputError for bytes of another format, TooLargeError over the limit.
        """
        parts: list[bytes] = []
        while data:
            if self._stream is None:
                # What HTTP calls deflate is zlib's format (RFC 9110), and what some send is the bare stream inside.
                self._stream = zlib.decompressobj(ZLIB_WINDOW_BITS if is_zlib(data) else -ZLIB_WINDOW_BITS)
            elif self._stream.eof:
                raise self._bad_coding("bytes follow its end")
            try:
                part = self._stream.decompress(data, self._left + 1)
            except zlib.error as error:
                raise self._bad_coding(str(error)) from None
            self._left -= len(part)
            if self._left < 0:
                raise self.too_large(self.limit, f"has more than {self.limit} bytes once it is unpacked")
            parts.append(part)
            data = self._stream.unconsumed_tail or self._stream.unused_data
        return b"".join(parts)

    def end(self) -> None:
        """Raises BadInputError where the body ended too early."""
        if self._stream is not None and not self._stream.eof:
            raise self._bad_coding("it ends too early")

    def _bad_coding(self, what: str) -> BadInputError:
        coding = self.coding.decode()
        return BadInputError(
            f"body: is not {coding}, as Content-Encoding says: {what}; allowed: a body of that coding.",
            code="bad_coding",
            field="body",
            allowed=f"a body in {coding}",
        )


def is_zlib(data: bytes) -> bool:
    """Whether bytes begin as zlib's format does (RFC 1950)."""
    return data[0] & 15 == 8 and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)


def decompress_receive(receive: Receive, coding: bytes, limit: int, too_large: MakeError) -> Receive:
    """`receive` with the parts of a compressed body unpacked. It raises what Unpacker raises."""
    unpacker = BodyDecompressor(coding, limit, too_large)

    async def receive_unpacked() -> Message:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body = unpacker.feed(message.get("body", b""))
        if not message.get("more_body"):
            unpacker.end()
        return {**message, "body": body}

    return receive_unpacked


def compress(body: bytes, accepted: bytes) -> tuple[bytes, bytes | None]:
    """The body in the coding that an Accept-Encoding header asks for, and its name; None where it stays as it is."""
    if len(body) < MIN_COMPRESSED_BYTES:
        return body, None
    wanted = {
        name.strip(): weight.replace(b" ", b"")
        for name, _, weight in (part.lower().partition(b";") for part in accepted.split(b","))
    }
    for coding, window in ((b"gzip", GZIP_WINDOW_BITS), (b"deflate", ZLIB_WINDOW_BITS)):
        if coding in wanted and wanted[coding] not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"):
            packer = zlib.compressobj(1, zlib.DEFLATED, window)
            return packer.compress(body) + packer.flush(), coding
    return body, None
