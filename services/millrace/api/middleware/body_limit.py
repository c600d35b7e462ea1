"""Limits the size and arrival time of request bodies before anything reads them, and decompresses them."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from millrace.api.errors import error_response
from millrace.api.middleware.codings import decompress_receive
from millrace.errors import MillraceError, TooLargeError

BODY_TIMEOUT_S = 30.0  # seconds that a body may take to arrive
MAX_DISCARDED_CHUNKS = 32  # times the limit that is read and thrown away, so that the caller gets to read the answer


class BodyTimeoutError(MillraceError):
    """A body did not arrive in time."""

    status, code = 408, "too_slow"


def too_large(limit: int, what: str) -> TooLargeError:
    """The error for a body over the limit."""
    return TooLargeError(
        f"body: {what}; allowed: {limit} bytes. Send the rows in several requests.",
        field="body",
        allowed=f"{limit} bytes",
    )


class BodyLimitMiddleware:
    """Answers 413 by the Content-Length where there is one, else as soon as the stream exceeds the limit."""

    def __init__(self, app: ASGIApp, limit: int):
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self.limit:
            await self._refuse(
                scope, receive, send, too_large(self.limit, f"has {int(length)} bytes"), b"expect" not in headers
            )
            return
        received, whole = 0, False

        async def count() -> Message:
            nonlocal received, whole
            if whole:  # what is still to come is only the end of the connection
                return await receive()
            async with asyncio.timeout(BODY_TIMEOUT_S):
                message = await receive()
            received += len(message.get("body", b""))
            whole = not message.get("more_body")
            if received > self.limit:
                raise too_large(self.limit, f"has more than {self.limit} bytes")
            return message

        coding = headers.get(b"content-encoding", b"identity").strip().lower()
        body = count if coding == b"identity" else decompress_receive(count, coding, self.limit, too_large)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, body, sending)
        except (TooLargeError, TimeoutError) as error:
            if started:
                raise
            if isinstance(error, TimeoutError):
                error = BodyTimeoutError(
                    f"body: did not arrive within {BODY_TIMEOUT_S:g} seconds; send it at once.", field="body"
                )
            await self._refuse(scope, receive, send, error, discard=not whole)

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, error: MillraceError, discard: bool = False
    ) -> None:
        if discard and isinstance(error, TooLargeError):
            await self._discard(receive)
        # After a body that was not read to its end the connection can't carry another request.
        await error_response(scope["path"], error, headers={"connection": "close"})(scope, receive, send)

    async def _discard(self, receive: Receive) -> None:
        read, more = 0, True
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                while more and read < self.limit * MAX_DISCARDED_CHUNKS:
                    message = await receive()
                    read += len(message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            return
