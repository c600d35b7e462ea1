"""Ending a body in its middle: what of a stream of HTTP messages is passed on before the connection is cut."""

import re

HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]+)", re.IGNORECASE | re.MULTILINE)
MIN_BODY_BYTES = 2


class BodyCutter:
    """Passes messages without a body, and of the first one with a body its head and half of the body.

    `starts` are how the messages begin that are looked at; others, such as requests that only read, pass whole. A body
    of unknown length (chunked) ends after the piece that its head came in.
    """

    def __init__(self, *starts: bytes):
        self._starts = starts
        self._left: int | None = None
        """Bytes to pass before the cut; None while no message is to be cut."""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to pass on of a piece, and whether to cut the connection after it."""
        if self._left is None:
            self._left = self._measure(data)
            if self._left is None:
                return data, False
        passed, self._left = data[: self._left], max(0, self._left - len(data))
        return passed, not self._left

    def _measure(self, data: bytes) -> int | None:
        """How many bytes pass of the message that begins with this piece; None for all of them."""
        if not data.startswith(self._starts) or HEAD_END not in data:
            return None
        head = data[: data.index(HEAD_END) + len(HEAD_END)]
        if b"transfer-encoding: chunked" in head.lower():
            return len(data)
        match = LENGTH.search(head)
        length = int(match[1]) if match else 0
        return len(head) + length // 2 if length >= MIN_BODY_BYTES else None


def content_length(head: bytes) -> int:
    """The length that a head states; 0 where it states none."""
    match = LENGTH.search(head)
    return int(match[1]) if match else 0
