"""When the stack is itself again: all processes run, every worker is ready and up to date, posts are acknowledged."""

import threading
from collections.abc import Callable

from millrace.prove.history import HEALTHY, Json, Recorder
from millrace.prove.traffic import Api

ASKED = 16
"""Times that readiness is asked for, each on a new connection: no worker is missed but in 1 of 30,000 looks."""
POLL_INTERVAL_S = 1.0
MAX_STALENESS_S = 5.0


def is_up_to_date(body: Json, workload: str) -> bool:
    """Whether an answer of /health/ready promises that what was acknowledged a moment ago is in."""
    live = (body or {}).get("live", {}).get(workload, {})
    staleness = live.get("staleness")
    return staleness is not None and staleness < MAX_STALENESS_S and not live.get("error")


class HealthWatch(threading.Thread):
    """Looks once a second while something is disturbed, and marks when all is well.

    `is_running` says whether all processes run. The first look after a fault's end that finds all well ends what the
    fault excuses, so a stack that calls itself healthy too early is held to it.
    """

    def __init__(self, api: Api, workload: str, is_running: Callable[[], bool], recorder: Recorder):
        super().__init__(name="health", daemon=True)
        self._api, self._workload, self._is_running, self._recorder = api, workload, is_running, recorder
        self._disturbed_at = float("-inf")
        self._healthy_at = float("-inf")
        self.stopping = threading.Event()

    def disturb(self) -> None:
        """A fault has begun or ended: what was seen before says nothing any more."""
        self._disturbed_at = self._recorder.now()

    @property
    def is_healthy(self) -> bool:
        """Whether a look after the last disturbance found all well."""
        return self._healthy_at > self._disturbed_at

    def wait_healthy(self, timeout_s: float) -> bool:
        """Whether it is healthy within so many seconds."""
        deadline = self._recorder.now() + timeout_s
        while not self.is_healthy and self._recorder.now() < deadline:
            self.stopping.wait(POLL_INTERVAL_S / 4)
        return self.is_healthy

    def run(self) -> None:
        while not self.stopping.wait(POLL_INTERVAL_S):
            looked_at = self._recorder.now()
            if not self.is_healthy and self._look():
                self._healthy_at = looked_at
                self._recorder.mark(HEALTHY, looked_at)

    def _look(self) -> bool:
        if not self._is_running() or self._recorder.last_done("post") <= self._disturbed_at:
            return False
        replies = (self._api.ready() for _ in range(ASKED))
        return all(reply.outcome == "done" and is_up_to_date(reply.body, self._workload) for reply in replies)
