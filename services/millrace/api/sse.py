"""Server-sent event streams on `fastapi.sse`: limits how many are open and ends them on shutdown."""

import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from fastapi import Request, Response
from fastapi.routing import APIRoute

from millrace.api.middleware.head_requests import original_method
from millrace.errors import BusyError

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class EventStreams:
    """The streams of this process. A server that shuts down waits for its answers: these must know of it first."""

    def __init__(self, limit: int, per_client: int):
        self.limit, self.per_client, self.ending = limit, per_client, False
        self._by_client: Counter[str] = Counter()

    @property
    def open(self) -> int:
        return self._by_client.total()

    async def open_stream(self, request: Request) -> AsyncIterator["OpenStream"]:
        """A dependency: a place among the streams until the answer ends, however it does.

        Raises BusyError where there are as many as there may be, of this client's address or of all. One whose client
        does not read is ended by the server (`client_protocol.py`).
        """
        if original_method(request.scope) == "HEAD":  # what has no end is not begun
            yield OpenStream(lambda: True)
            return
        client = request.client.host if request.client else ""
        if self.open >= self.limit:
            raise refuse_stream(self.open, self.limit, "a worker", "MILLRACE_API_STREAMS")
        if self._by_client[client] >= self.per_client:
            count, setting = self._by_client[client], "MILLRACE_API_STREAMS_PER_CLIENT"
            raise refuse_stream(count, self.per_client, f"a client, and {client} is one", setting)
        self._by_client[client] += 1
        try:
            yield OpenStream(lambda: self.ending)
        finally:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

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


def refuse_stream(count: int, limit: int, whose: str, setting: str) -> BusyError:
    """The error for a stream too many."""
    return BusyError(
        f"{count} live streams are open; allowed: {limit} {whose}. Close a page, come later, or set {setting} higher.",
        code="too_many_streams",
        allowed=f"{limit} streams",
    )


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
