"""Makes the faults of a schedule and undoes them; each is recorded, also one that could not be made."""

import random
import threading
import time
from collections.abc import Callable
from subprocess import Popen
from typing import Protocol

import psutil

from millrace.errors import MillraceError, UnavailableError
from millrace.prove.commands import Commands
from millrace.prove.faults.clock import OffsetClocks
from millrace.prove.faults.disk import SmallDisks
from millrace.prove.faults.kinds import MAX_CLOCK_OFFSET_S, PROXY_MODES
from millrace.prove.faults.processes import find_target, kill_process, pause_process, resume_process
from millrace.prove.faults.proxy import Mode, Proxy
from millrace.prove.history import PROMOTION, Recorder
from millrace.prove.reingest import Reingests
from millrace.prove.schedule import Fault
from millrace.prove.traffic import Gate

TARGET_TIMEOUT_S = 8.0
"""Seconds to wait for a target that is being started again."""
POLL_INTERVAL_S = 0.1
DRAIN_TIMEOUT_S = 120.0
UNANSWERED_S = 12.0
"""Seconds after which the API has given up what it had not written (MILLRACE_API_EVENT_TIMEOUT, and a second)."""
JOIN_TIMEOUT_S = 90.0
Undo = Callable[[], None]


class Target(Protocol):
    """The levers of a stack that faults are made with."""

    proxies: dict[str, Proxy]
    disks: SmallDisks
    clocks: OffsetClocks | None
    commands: Commands

    def count_unlanded(self) -> int: ...

    def recreate_records(self) -> None: ...

    def train(self) -> None: ...

    def publish_copy(self, number: int) -> str: ...

    def promote(self, version: str) -> None: ...

    @property
    def champion(self) -> str: ...


class Injector:
    """Begins and ends faults. For one thread, the main one; what takes long in a fault has threads of its own."""

    def __init__(self, target: Target, recorder: Recorder, gate: Gate, reingests: Reingests, seed: int):
        self._target, self._recorder, self._gate, self._reingests = target, recorder, gate, reingests
        self._dice = random.Random(f"injector {seed}")
        self._undo: dict[int, tuple[Fault, Undo]] = {}
        self._swaps: list[threading.Thread] = []
        makers: dict[str, Callable[[Fault], Undo | None]] = {
            "kill": self._kill,
            "pause": self._pause,
            "full": self._fill,
            "clock": self._shift_clock,
            "recreate": self._recreate,
            "twin": self._start_twin,
            "reingest": self._reingest,
            "swap": self._swap,
        }
        modes: dict[str, Callable[[Fault], Undo | None]] = dict.fromkeys(PROXY_MODES, self._set_mode)
        self._makers = makers | modes

    def begin(self, number: int, fault: Fault) -> None:
        """Make a fault; one that lasts is undone by `end`. A fault that can't be made is recorded with the reason."""
        # First, since what it excuses may happen before the call returns.
        self._recorder.fault(number, "begin", fault.kind, fault.target)
        try:
            undo = self._makers[fault.kind](fault)
        except (MillraceError, OSError, psutil.Error) as error:
            self._recorder.fault(number, "failed", fault.kind, fault.target, str(error))
            return
        if undo is None:
            self._recorder.fault(number, "end", fault.kind, fault.target)
        else:
            self._undo[number] = fault, undo

    def end(self, number: int) -> None:
        """Undo a fault that lasts; nothing where it was not made, or is undone."""
        if number not in self._undo:
            return
        fault, undo = self._undo.pop(number)
        try:
            undo()
            self._recorder.fault(number, "end", fault.kind, fault.target)
        except (MillraceError, OSError, psutil.Error) as error:
            self._recorder.fault(number, "failed", fault.kind, fault.target, f"it could not be undone: {error}")

    def heal(self) -> None:
        """Undo all that is on, and wait for what faults have started."""
        for number in list(self._undo):
            self.end(number)
        for swap in self._swaps:
            swap.join(JOIN_TIMEOUT_S)

    def _kill(self, fault: Fault) -> None:
        kill_process(self._await_target(fault.target))

    def _pause(self, fault: Fault) -> Undo:
        process = self._await_target(fault.target)
        pause_process(process)
        return lambda: resume_process(process)

    @staticmethod
    def _await_target(target: str) -> psutil.Process:
        deadline = time.monotonic() + TARGET_TIMEOUT_S
        while True:
            try:
                return find_target(target)
            except UnavailableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_INTERVAL_S)

    def _set_mode(self, fault: Fault) -> Undo:
        proxy = self._target.proxies[fault.target]
        proxy.set_mode(Mode(fault.kind))
        return lambda: proxy.set_mode(Mode.PASS)

    def _fill(self, fault: Fault) -> Undo:
        self._target.disks.fill(fault.target)
        return lambda: self._target.disks.free(fault.target)

    def _shift_clock(self, fault: Fault) -> Undo:
        clocks = self._target.clocks
        if clocks is None:
            raise UnavailableError("libfaketime is not there", code="no_faketime")
        clocks.set_offset(fault.target, self._dice.randint(-MAX_CLOCK_OFFSET_S, MAX_CLOCK_OFFSET_S))
        return lambda: clocks.set_offset(fault.target, 0)

    def _recreate(self, _fault: Fault) -> None:
        """Nothing that was acknowledged may be in the topic alone; afterwards a training, as readiness asks for."""
        with self._gate.hold():
            # What came back as 503 may still be on its way.
            time.sleep(UNANSWERED_S)
            deadline = time.monotonic() + DRAIN_TIMEOUT_S
            while (left := self._target.count_unlanded()) > 0:
                if time.monotonic() > deadline:
                    raise UnavailableError(f"{left} records have not landed, so the topic was not recreated.")
                time.sleep(1)
            self._target.recreate_records()
        began_at = self._recorder.now()
        self._target.train()
        self._mark_promotion(self._target.champion, began_at, True)

    def _mark_promotion(self, version: str, begun_at: float, is_done: bool) -> None:
        self._recorder.mark(PROMOTION, {"version": version, "begun_at": begun_at, "done": is_done})

    def _start_twin(self, _fault: Fault) -> Undo:
        process: Popen[bytes] = self._target.commands.start("online")

        def end() -> None:
            process.terminate()
            self._target.commands.finish(process, 30)

        return end

    def _reingest(self, _fault: Fault) -> None:
        self._reingests.start_two(self._dice.uniform(2.5, 4.5), self._dice.uniform(0.5, 2.0))

    def _swap(self, _fault: Fault) -> None:
        """In a thread: S3 may be the one that is disturbed, and its client tries for long."""
        number = len(self._swaps)
        swap = threading.Thread(target=self._promote_copy, args=(number,), name=f"swap-{number}", daemon=True)
        self._swaps.append(swap)
        swap.start()

    def _promote_copy(self, number: int) -> None:
        try:
            version = self._target.publish_copy(number)
        except MillraceError as error:
            self._recorder.mark("not published", error.message)
            return
        begun_at, is_done = self._recorder.now(), False
        try:
            self._target.promote(version)
            is_done = True
        except MillraceError as error:
            self._recorder.mark("not promoted", error.message)
        finally:
            self._mark_promotion(version, begun_at, is_done)
