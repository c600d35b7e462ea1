"""Server-sent event streams on `fastapi.sse`: limits how many are open and ends them on shutdown."""

import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from fastapi import Request, Response
from fastapi.routing import APIRoute

from millrace.api.middleware.head_requests import original_method
from millrace.errors import UnavailableError

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class EventStreams:
    """The streams of this process. A server that shuts down waits for its answers: these must know of it first."""

    def __init__(self, limit: int):
        self.limit, self.open, self.ending = limit, 0, False

    async def open_stream(self, request: Request) -> AsyncIterator["OpenStream"]:
        """A dependency: a place among the streams until the answer ends, however it does.

        Raises UnavailableError where there are as many as there may be.
        """
        if original_method(request.scope) == "HEAD":  # what has no end is not begun
            yield OpenStream(lambda: True)
            return
        if self.open >= self.limit:
            raise UnavailableError(
                f"{self.open} live streams are open; allowed: {self.limit} a worker. Close a page, come later, or "
                "set MILLRACE_API_STREAMS higher.",
                code="too_many_streams",
                allowed=f"{self.limit} streams",
            )
        self.open += 1
        try:
            yield OpenStream(lambda: self.ending)
        finally:
            self.open -= 1

    @contextmanager
    def end_on_signals(self) -> Iterator[None]:
        """Between the server's own handlers, which are there by now, and the signal: first the streams hear of it."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are none of a thread's business
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def end(number: int, frame: FrameType | None) -> None:
            self.ending = True
            if callable(handler := before[signal.Signals(number)]):
                handler(number, frame)

        for number in before:
            signal.signal(number, end)
        try:
            yield
        finally:
            self.ending = True
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(frozen=True)
class OpenStream:
    """A stream of one reader."""

    is_ending: Callable[[], bool]


class EventRoute(APIRoute):
    """A route of server-sent events with our headers; FastAPI's `no-cache` would let a cache keep the events."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        handle = super().get_route_handler()

        async def handle_with_headers(request: Request) -> Response:
            response = await handle(request)
            response.headers.update(HEADERS)
            return response

        return handle_with_headers
