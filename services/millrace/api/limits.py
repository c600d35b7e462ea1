"""The largest request body, enforced before anything reads it."""

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from millrace.errors import TooLarge


class BodyLimitMiddleware:
    """Answers 413 by the Content-Length where there is one, else as soon as the stream exceeds the limit."""

    def __init__(self, app: ASGIApp, limit: int):
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and int(length) > self.limit:
            await self._refuse(scope, send, int(length))
            return
        if length != b"0":
            # The server itself never passes on more than the announced length.
            await self.app(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise self._error(received)
            return message

        await self.app(scope, counted, send)

    def _error(self, size: int) -> TooLarge:
        return TooLarge(
            f"The body has {size} bytes or more; allowed: {self.limit} bytes. Send the rows in several requests.",
            field="body",
            allowed=f"{self.limit} bytes",
        )

    async def _refuse(self, scope: Scope, send: Send, size: int) -> None:
        error = self._error(size)
        v2 = scope["path"].startswith("/v2")
        body = orjson.dumps({"error": error.message if v2 else error.as_dict()})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
