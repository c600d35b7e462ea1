"""Server-sent event streams: limits how many are open and ends them on shutdown."""

import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from millrace.errors import UnavailableError

EVENT_STREAM = "text/event-stream"


class EventStreams:
    """The streams of this process. A server that shuts down waits for its answers: these must know of it first."""

    def __init__(self, limit: int):
        self.limit, self.open, self.ending = limit, 0, False

    def answer(self, content: Callable[[], AsyncIterator[bytes]]) -> StreamingResponse:
        """An answer of server-sent events. Raises UnavailableError where there are as many as there may be."""
        if self.open >= self.limit:
            raise UnavailableError(
                f"{self.open} live streams are open; allowed: {self.limit} a worker. Close a page, come later, or "
                "set MILLRACE_API_STREAMS higher.",
                code="too_many_streams",
                allowed=f"{self.limit} streams",
            )
        self.open += 1
        return CountedResponse(content(), self)

    @contextmanager
    def end_on_signals(self) -> Iterator[None]:
        """Between the server's own handlers, which are there by now, and the signal: first the streams hear of it."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are none of a thread's business
            return
        before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def end(number: int, frame: FrameType | None) -> None:
            self.ending = True
            if callable(handler := before[number]):
                handler(number, frame)

        for number in before:
            signal.signal(number, end)
        try:
            yield
        finally:
            self.ending = True
            for number, handler in before.items():
                signal.signal(number, handler)


class CountedResponse(StreamingResponse):
    """Gives its place back however it ends: all said, the reader gone, or never begun."""

    def __init__(self, content: AsyncIterator[bytes], streams: EventStreams):
        # Proxies must pass each event on at once.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
        super().__init__(content, media_type=EVENT_STREAM, headers=headers)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.open -= 1


def format_event(name: str, number: int, data: bytes) -> bytes:
    """One event (html.spec.whatwg.org, server-sent events); `data` is one line."""
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), number, data)
