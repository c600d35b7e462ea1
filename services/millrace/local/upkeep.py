"""What the supervisor does at its hours: the lake's upkeep, and once a day a compaction with the retention of versions.

Each is a command of ours in a process of its own, one at a time and with low priority: it takes memory only while it
runs, and its fault is a line of the log.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from millrace.local import child, state
from millrace.runtime.signals import die_with_parent, end_child

CATALOG_INTERVAL_S = 900.0
"""As `lake.expiry` reckons with; its import would cost the supervisor the memory of pyiceberg."""
COMPACTION_INTERVAL_S = 86_400.0
FIRST_RUN_AFTER_S = 300.0
"""Seconds after the start of the stack: then whoever started it has had the processors."""
MAX_RUN_S = 6 * 3600.0
NICE = 10
STOP_TIMEOUT_S = 10.0
TIMES = "upkeep.json"
LOG = "upkeep.log"


@dataclass(frozen=True)
class Chore:
    """A command and how often it is due."""

    name: str
    command: tuple[str, ...]
    interval_s: float
    at_once: bool
    """Whether it is due in a home that has never run it; else after its first interval."""


MILLRACE = (sys.executable, "-m", "millrace.cli")
CHORES = (
    Chore("catalog upkeep", (*MILLRACE, "catalog", "upkeep"), CATALOG_INTERVAL_S, at_once=True),
    Chore("compaction", (*MILLRACE, "compact"), COMPACTION_INTERVAL_S, at_once=False),
)


class Upkeep:
    """Starts what is due, and says how it ended. When each was last started is kept over restarts of the stack."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        clock: Callable[[], float] = time.time,
        chores: tuple[Chore, ...] = CHORES,
    ):
        self._home, self._environment, self._clock, self._chores = home, environment, clock, chores
        self._log = home / "logs" / LOG
        self._not_before = clock() + FIRST_RUN_AFTER_S
        self._started: dict[str, float] = state.read_json(home / TIMES)
        self._running: tuple[Chore, subprocess.Popen[bytes], float, int] | None = None

    def step(self) -> list[str]:
        """Look once; a sentence for each run that failed."""
        if self._running:
            return self._look_after(*self._running)
        now = self._clock()
        for chore in self._chores:
            # A clock that was set back must not put it off for ever.
            last = min(self._started.get(chore.name, 0 if chore.at_once else now), now)
            if self._started.get(chore.name) != last:
                self._note(chore, last)
            if now >= max(last + chore.interval_s, self._not_before):
                self._start(chore, now)
                break
        return []

    def stop(self) -> None:
        """End what runs; the next start of the stack does it again when it is due."""
        if self._running:
            end_child(self._running[1], STOP_TIMEOUT_S)
            self._running = None

    def _note(self, chore: Chore, at: float) -> None:
        self._started[chore.name] = at
        state.write_private_json(self._home / TIMES, self._started)

    def _start(self, chore: Chore, now: float) -> None:
        self._note(chore, now)
        start = child.roll_log(self._log)
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                chore.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self._environment},
                preexec_fn=_become_a_background_process,
            )
        self._running = chore, process, now, start

    def _look_after(self, chore: Chore, process: subprocess.Popen[bytes], since: float, start: int) -> list[str]:
        code = process.poll()
        if code is None:
            if self._clock() - since <= MAX_RUN_S:
                return []
            self.stop()
            return [f"{chore.name} was ended after {MAX_RUN_S / 3600:g} hours (log: {self._log})."]
        self._running = None
        return (
            [f"{chore.name} ended with {code}: {child.last_words(self._log, start)} (log: {self._log})."]
            if code
            else []
        )


def _become_a_background_process() -> None:
    die_with_parent()
    os.nice(NICE)
