"""Limits the size and arrival time of request bodies before anything reads them, and decompresses them."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from millrace.api.errors import error_response
from millrace.api.middleware.codings import decompress_receive
from millrace.api.middleware.held_bodies import ArrivingBody, BodyEnded, HeldBodies
from millrace.errors import MillraceError, TooLargeError

MAX_LENGTH_DIGITS = 18  # digits of a Content-Length that are read
MAX_HELD_BODIES = 32  # times the limit of a body that all requests of a worker may hold together
MAX_DISCARDED_CHUNKS = 32  # times the limit that is read and thrown away, so that the caller gets to read the answer


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
        self.app, self.limit, self.bodies = app, limit, HeldBodies(limit * MAX_HELD_BODIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        arriving = ArrivingBody(scope, receive)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and (len(length) > MAX_LENGTH_DIGITS or int(length) > self.limit):
            error = too_large(self.limit, f"has {length[:MAX_LENGTH_DIGITS].decode()} bytes")
            await self._refuse(scope, arriving, send, error, b"expect" not in headers)
            return
        received, whole, started = 0, False, False

        async def count() -> Message:
            nonlocal received, whole
            message = await arriving.receive()
            received += len(message.get("body", b""))
            whole = not message.get("more_body")
            if received > self.limit:
                raise too_large(self.limit, f"has more than {self.limit} bytes")
            return message

        coding = headers.get(b"content-encoding", b"identity").strip().lower()
        read = count if coding == b"identity" else decompress_receive(count, coding, self.limit, too_large)

        async def hold() -> Message:
            if whole:  # what is still to come is only the end of the connection
                return await receive()
            message = await read()
            self.bodies.hold(arriving, len(message.get("body", b"")))
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            with self.bodies.admit(arriving):
                await self.app(scope, hold, sending)
        except (TooLargeError, BodyEnded) as error:
            if started:
                raise
            refusal = error.error if isinstance(error, BodyEnded) else error
            await self._refuse(scope, arriving, send, refusal, discard=not whole)

    async def _refuse(
        self, scope: Scope, arriving: ArrivingBody, send: Send, error: MillraceError, discard: bool = False
    ) -> None:
        if discard and isinstance(error, TooLargeError):
            await self._discard(arriving)
        # After a body that was not read to its end the connection can't carry another request.
        response = error_response(scope["path"], error, headers={"connection": "close"})
        await response(scope, arriving.receive, send)

    async def _discard(self, arriving: ArrivingBody) -> None:
        read, more = 0, True
        try:
            while more and read < self.limit * MAX_DISCARDED_CHUNKS:
                message = await arriving.receive()
                read += len(message.get("body", b""))
                more = message.get("more_body", False)
        except BodyEnded:
            return
