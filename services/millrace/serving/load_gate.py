"""How many requests may wait for the registry at once, so that none of them can take all threads."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from millrace.errors import UnavailableError

MAX_CONCURRENT_LOADS = 2
MAX_WAITING_LOADS = 8  # of the 40 threads that answer requests
LOAD_WAIT_TIMEOUT_S = 10.0


class LoadGate:
    """Lets few loads run at the same time, one per key, and few callers wait for their turn.

    Whoever has waited should look again whether what it wanted is loaded by now.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[Hashable] = set()
        self._waiting = 0

    @contextmanager
    def enter(self, key: Hashable) -> Iterator[None]:
        """Run alone for this key. Raises UnavailableError where too many wait, or the turn doesn't come in time."""
        with self._changed:
            if not self._is_free(key):
                self._wait(key)
            self._running.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._running.discard(key)
                self._changed.notify_all()

    def _is_free(self, key: Hashable) -> bool:
        return key not in self._running and len(self._running) < MAX_CONCURRENT_LOADS

    def _wait(self, key: Hashable) -> None:
        is_free = False
        if self._waiting < MAX_WAITING_LOADS:
            self._waiting += 1
            try:
                is_free = self._changed.wait_for(lambda: self._is_free(key), LOAD_WAIT_TIMEOUT_S)
            finally:
                self._waiting -= 1
        if not is_free:
            raise UnavailableError(
                f"Too many versions are being loaded: at most {MAX_CONCURRENT_LOADS} at once, and {MAX_WAITING_LOADS} "
                "wait. Ask again in a few seconds, or ask the champion, which is in memory.",
                code="busy",
                field="version",
            )
