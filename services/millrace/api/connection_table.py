"""The connections of a worker: how many there may be, and which of them wait for their client."""

import asyncio
from functools import lru_cache
from typing import Protocol

from millrace.api.file_budget import plan_files
from millrace.runtime.open_files import count_file_limit
from millrace.serving.metrics import metrics
from millrace.settings import settings

UNREAD_LIMIT = 32_000_000  # bytes of answers that a worker holds for clients which do not read
SWEEP_INTERVAL_S = 0.5  # seconds between two looks for connections that are overdue
ANSWER_GRACE_S = 1.0  # seconds after a deadline in which a client is told of it


class Connection(Protocol):
    """What the table asks of a connection."""

    def end(self) -> None:
        """Close it at once, whatever is still to be sent."""
        ...


class ConnectionTable:
    """The open connections, and of those that wait for their client the longest wait first.

    A client that has sent nothing, half of a request, or does not take its answer is waited for; where there is no more
    room, the one that was waited for longest is ended.
    """

    def __init__(self, limit: int, unread_limit: int = UNREAD_LIMIT):
        self.limit, self.unread_limit = limit, unread_limit
        self._open: set[Connection] = set()
        self._deadlines: dict[Connection, float] = {}
        self._unread: dict[Connection, int] = {}
        self._sweeping = False

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> bool:
        """Take one in, and end others for it. False where none waits: all are being answered."""
        while len(self._open) >= self.limit:
            oldest = next(iter(self._deadlines), None)
            if oldest is None:
                metrics().connections_ended.labels("refused").inc()
                return False
            self._end(oldest, "crowded")
        self._open.add(connection)
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(SWEEP_INTERVAL_S, self._sweep, loop)
        return True

    def wait(self, connection: Connection, deadline: float) -> None:
        """From now on the client's next step is waited for, until `deadline` on the loop's clock."""
        if connection in self._open:
            self._deadlines.pop(connection, None)
            self._deadlines[connection] = deadline

    def work(self, connection: Connection) -> None:
        """The client has done its part: an answer is being made."""
        self._deadlines.pop(connection, None)

    def deadline(self, connection: Connection) -> float | None:
        """Until when the client is waited for; None while it is not."""
        return self._deadlines.get(connection)

    def hold(self, connection: Connection, unread: int) -> None:
        """So many bytes wait for the client to read; 0 where it has read all but a few.

        Over the limit those that have not read for longest are ended.
        """
        self._unread.pop(connection, None)
        if unread and connection in self._open:
            self._unread[connection] = unread
            while sum(self._unread.values()) > self.unread_limit:
                self._end(next(iter(self._unread)), "unread")

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        self._open.discard(connection)
        self._deadlines.pop(connection, None)
        self._unread.pop(connection, None)

    def _end(self, connection: Connection, reason: str) -> None:
        self.forget(connection)
        metrics().connections_ended.labels(reason).inc()
        connection.end()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        overdue = loop.time() - ANSWER_GRACE_S
        for connection in [each for each, deadline in self._deadlines.items() if deadline < overdue]:
            self._end(connection, "slow")
        self._sweeping = bool(self._open)
        if self._sweeping:
            loop.call_later(SWEEP_INTERVAL_S, self._sweep, loop)


@lru_cache(maxsize=1)
def connection_table() -> ConnectionTable:
    """The table of this process."""
    return ConnectionTable(plan_files(count_file_limit(), settings().api_connections).connections)
