"""One run: a stack, clients, the faults of a schedule at their times, and what is there when all is quiet again."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from millrace.errors import MillraceError
from millrace.prove.checker import Observation
from millrace.prove.faults.kinds import BY_NAME, Need
from millrace.prove.health import HealthWatch
from millrace.prove.history import PROMOTION, UNSETTLED, History, Recorder
from millrace.prove.http_api import HttpApi
from millrace.prove.injector import Injector
from millrace.prove.isolation import isolate
from millrace.prove.lake_model import LakeRow
from millrace.prove.own_stack import FOLDER, WORKLOAD, OwnStack, start_own_stack
from millrace.prove.reingest import Reingests
from millrace.prove.schedule import Schedule
from millrace.prove.traffic import Traffic

log = logging.getLogger(__name__)
HEALTHY_TIMEOUT_S = 240.0
"""Seconds that the stack has for recovering after the last fault."""
LAND_TIMEOUT_S = 120.0
"""Seconds without one more row after which a lake that lacks some is taken to stand still."""
COUNT_TIMEOUT_S = 60.0
POST_PATIENCE_S = 90.0
POLL_INTERVAL_S = 1.0
HISTORY_FILE = "history.jsonl"


class Step(NamedTuple):
    """Something to do at a time of the run."""

    at: float
    number: int
    is_begin: bool


@dataclass(frozen=True)
class RunResult:
    """What a run has seen: `skipped` are the needs that were not met, and why."""

    observation: Observation
    skipped: dict[Need, str]
    versions: dict[str, str]


def plan(schedule: Schedule) -> list[Step]:
    """The begins and ends of the faults, by time; of those at one time the ends first."""
    steps = [Step(fault.begin, number, True) for number, fault in enumerate(schedule.faults)]
    steps += [Step(fault.end, number, False) for number, fault in enumerate(schedule.faults) if fault.seconds]
    return sorted(steps, key=lambda step: (step.at, step.is_begin, step.number))


def list_needs(schedule: Schedule) -> list[Need]:
    """What the faults of a schedule need."""
    needs: list[Need] = []
    for fault in schedule.faults:
        need = BY_NAME[fault.kind].needs
        if need is not None and need not in needs:
            needs.append(need)
    return needs


def run_schedule(schedule: Schedule, out: Path, deadline_s: float) -> RunResult:
    """Run a schedule against a new stack; the history and the logs of the stack go to the folder `out`.

    Raises MillraceError where the stack can't be started, and what a signal raises: all that was started is ended and
    the home removed on the way.
    """
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    with isolate() as home, keep_logs(home, out), start_own_stack(home, list_needs(schedule)) as own:
        log.info("a stack of its own runs in %s; training its first champion", home)
        own.prepare()
        with (out / HISTORY_FILE).open("w") as file:
            run = ScheduleRun(own, schedule, Recorder(file), deadline_s)
            sight = run.run()
        history = History.read(out / HISTORY_FILE)
        observation = Observation(history, sight.rows, sight.fresh or [], sight.finals or {}, sight.accepted)
        return RunResult(observation, dict(own.skipped), own.describe_versions())


@contextmanager
def keep_logs(home: Path, out: Path) -> Iterator[None]:
    """Copy the logs of the stack and of the commands to `out` at the end, whatever that is."""
    try:
        yield
    finally:
        folder = out / "logs"
        folder.mkdir(exist_ok=True)
        for file in [*home.glob("logs/*.log"), *home.glob(f"{FOLDER}/*.log")]:
            (folder / file.name).write_bytes(file.read_bytes())


@dataclass(frozen=True)
class Sight:
    """What is there in the end; see Observation."""

    rows: list[LakeRow] | None = None
    fresh: list[LakeRow] | None = None
    finals: dict[str, list[str]] | None = None
    accepted: int | None = None


class ScheduleRun:
    """The clients and faults of a run over a prepared stack."""

    def __init__(self, own: OwnStack, schedule: Schedule, recorder: Recorder, deadline_s: float):
        self._own, self._schedule, self._recorder, self._deadline_s = own, schedule, recorder, deadline_s
        items = own.list_items()
        self._api = HttpApi(WORKLOAD)
        self._traffic = Traffic(schedule.seed, items, self._api, recorder)
        self._reingests = Reingests(own.home / FOLDER, WORKLOAD, items, own.commands, recorder)
        self._injector = Injector(own, recorder, self._traffic.gate, self._reingests, schedule.seed)
        self._health = HealthWatch(self._api, WORKLOAD, own.is_running, recorder)

    def run(self) -> Sight:
        """Clients and faults until the schedule's end, then quiet; what is there then."""
        self._recorder.mark(PROMOTION, {"version": self._own.champion, "begun_at": 0.0, "done": True})
        self._traffic.start()
        self._health.start()
        try:
            self._follow_plan()
            self._injector.heal()
            self._health.disturb()
            self._settle()
            return self._look()
        finally:
            self._injector.heal()
            self._traffic.stop()
            self._health.stopping.set()

    def _follow_plan(self) -> None:
        for step in plan(self._schedule):
            self._sleep_until(step.at)
            fault = self._schedule.faults[step.number]
            if BY_NAME[fault.kind].needs in self._own.skipped:
                continue
            if step.is_begin:
                log.info("%.1f s: %s %s", self._recorder.now(), fault.kind, fault.target)
                self._health.disturb()
                self._injector.begin(step.number, fault)
            else:
                self._injector.end(step.number)
            self._health.disturb()
        self._sleep_until(self._schedule.seconds)

    def _sleep_until(self, at: float) -> None:
        time.sleep(max(0.0, at - self._recorder.now()))

    def _settle(self) -> None:
        """Until the stack is healthy, everything has landed, and every promise is due."""
        log.info("the faults are over; waiting until the stack is healthy and everything has landed")
        steps: tuple[Callable[[], None], ...] = (self._wait_healthy, self._stop_posting, self._reingests.complete)
        for step in (*steps, self._wait_landed):
            try:
                step()
            except MillraceError as error:
                self._recorder.mark(UNSETTLED, error.message)
        time.sleep(self._deadline_s + 1)

    def _wait_healthy(self) -> None:
        if not self._health.wait_healthy(HEALTHY_TIMEOUT_S):
            raise MillraceError(f"The stack was not healthy {HEALTHY_TIMEOUT_S:g} s after the last fault.")

    def _stop_posting(self) -> None:
        self._traffic.stop_posting(POST_PATIENCE_S)

    def _wait_landed(self) -> None:
        fewest, since = None, time.monotonic()
        while (left := self._own.count_unlanded()) > 0:
            if fewest is None or left < fewest:
                fewest, since = left, time.monotonic()
            if time.monotonic() - since > LAND_TIMEOUT_S:
                raise MillraceError(f"{left} records have not landed, and none did for {LAND_TIMEOUT_S:g} s.")
            time.sleep(POLL_INTERVAL_S)

    def _look(self) -> Sight:
        try:
            rows, fresh = self._own.read_rows(), self._own.read_fresh_rows()
        except (MillraceError, OSError, ValueError) as error:
            self._recorder.mark(UNSETTLED, f"the lake can't be read: {type(error).__name__}: {error}")
            return Sight()
        accepted = self._await_count(len({row.identity for row in fresh}))
        users = [*self._traffic.roster.list_users(), *self._reingests.users]
        return Sight(rows, fresh, self._read_finals(dict.fromkeys(users)), accepted)

    def _await_count(self, expected: int) -> int | None:
        """How many events readiness counts, once it is as many as expected or does not change any more."""
        deadline = time.monotonic() + COUNT_TIMEOUT_S
        while True:
            live = (self._api.ready().body or {}).get("live", {}).get(WORKLOAD, {})
            accepted = live.get("accepted")
            if accepted == expected or time.monotonic() > deadline:
                return accepted
            time.sleep(POLL_INTERVAL_S)

    def _read_finals(self, users: Iterable[str]) -> dict[str, list[str]]:
        finals = {}
        for user in users:
            call = partial(self._api.history, user)
            reply = self._recorder.perform("final", "history", user, None, call)
            finals[user] = [item["id"] for item in reply.body["items"]] if reply.status == 200 else []
        return finals
