"""uvicorn's HTTP protocol for clients that nobody knows: what it waits for, and what it keeps of them, is bounded.

A request, headers and body together, has one deadline, counted from the opening of the connection or from its first
byte after an answer; an answer has as long to be taken. uvicorn itself limits how long a connection is idle between two
requests, and nothing else.
"""

import asyncio
import socket
from collections import deque

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from millrace.api.connection_table import connection_table
from millrace.api.errors import render_error
from millrace.api.fast_path import error_headers
from millrace.api.middleware.held_bodies import DEADLINE
from millrace.errors import BusyError, MillraceError, TooLargeError
from millrace.settings import settings

HEAD_LIMIT = 65_536  # bytes of a request beside its body: request line, headers, trailers
FRAMING_FACTOR = 8  # bytes of framing for each byte of a chunked body: a chunk of one byte takes five
MAX_PIPELINED = 16  # requests that may wait behind the one being answered
UNSENT_BYTES = 65_536  # bytes that the kernel takes beyond what is on its way: the rest is seen as unread


class ClientProtocol(HttpToolsProtocol):
    """A connection that says when it waits for its client, and can be ended then."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ):
        super().__init__(config, server_state, app_state, _loop)
        current = settings()
        self._table, self._timeout = connection_table(), current.api_request_timeout
        self._idle_timeout = max(current.api_idle_timeout, self._timeout)
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._received = self._answered = 0
        self._raw_bytes = self._body_bytes = 0
        self._is_idle = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take the connection in, or refuse it."""
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        if self._table.admit(self, self.loop):
            self._wait(self._timeout)
        else:
            self._refuse(BusyError("Every connection of this worker is being answered; come again in a second."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place back."""
        self._table.forget(self)
        for cycle in self._unanswered:  # uvicorn tells the last one only: of others the answer would be a traceback
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def end(self) -> None:
        """Close it at once, whatever is still to be sent."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on, up to the limit of what is no body."""
        if self._is_idle:
            self._is_idle = False
            self._wait(self._timeout)
        self._raw_bytes += len(data)
        super().data_received(data)
        if self._raw_bytes - self._body_bytes > HEAD_LIMIT + FRAMING_FACTOR * self._body_bytes:
            self._refuse(HeadTooLargeError(f"The request line and headers are too long; allowed: {HEAD_LIMIT} bytes."))

    def on_message_begin(self) -> None:
        """Begin a request, which knows its deadline."""
        super().on_message_begin()
        if (deadline := self._table.deadline(self)) is not None:
            self.scope[DEADLINE] = deadline  # pyright: ignore[reportGeneralTypeIssues]

    def on_headers_complete(self) -> None:
        """Start the application. Raises ValueError, which uvicorn answers with 400, where too many wait for it."""
        super().on_headers_complete()
        self._unanswered.append(self.cycle)
        if len(self.pipeline) > MAX_PIPELINED:
            raise ValueError("too many pipelined requests")

    def on_body(self, body: bytes) -> None:
        """Count what is body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The client has done its part."""
        super().on_message_complete()
        self._raw_bytes = self._body_bytes = 0
        self._received += 1
        self._work_on()

    def on_response_complete(self) -> None:
        """Wait for the answer to be taken, and for the next request."""
        self._answered += 1
        self._unanswered.popleft()
        self._is_idle = self._answered == self._received
        is_taken = not self.flow.write_paused
        self._wait(self._idle_timeout if self._is_idle and is_taken else self._timeout)
        super().on_response_complete()
        self._work_on()

    def pause_writing(self) -> None:
        """The client does not take what it asked for."""
        super().pause_writing()
        self._wait(self._timeout)
        self._table.hold(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It has taken it."""
        super().resume_writing()
        self._table.hold(self, 0)
        if self._is_idle:
            self._wait(self._idle_timeout)
        self._work_on()

    def _wait(self, seconds: float) -> None:
        self._table.wait(self, self.loop.time() + seconds)

    def _work_on(self) -> None:
        if self._received > self._answered and not self.flow.write_paused:
            self._table.work(self)

    def _refuse(self, error: MillraceError) -> None:
        """Say why and close, where no answer is under way."""
        if self.transport.is_closing():
            return
        if self._unanswered:
            self.end()
            return
        body = render_error("", error)
        headers = (*error_headers(error), (b"content-length", b"%d" % len(body)), (b"connection", b"close"))
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 %d \r\n%b\r\n%b" % (error.status, head, body))
        self.transport.close()


class HeadTooLargeError(TooLargeError):
    """The request line and the headers are over their limit."""

    status, code = 431, "head_too_large"
