"""Signals: heard between two steps, as an exception that runs every `finally`, and for children that must end."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGTERM_EXIT = 128 + signal.SIGTERM
POLL_INTERVAL_S = 0.05
"""Seconds after which an ending that a finalizer swallowed is raised again."""
END_TIMEOUT_S = 30.0
"""Seconds that a child may take to end by itself; Spark takes up to ten."""

PR_SET_PDEATHSIG = 1
# Loaded here: between fork and exec nothing may be imported.
LIBC: ctypes.CDLL | None = ctypes.CDLL(None) if sys.platform == "linux" else None


class StopSignal:
    """Set by SIGTERM and SIGINT while it listens; `signal` is the first one's number; a second one interrupts."""

    def __init__(self) -> None:
        self.signal: int | None = None

    @contextmanager
    def listen(self) -> Iterator[None]:
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in before:
            signal.signal(number, self._receive)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: object) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt  # the second time, now
        self.signal = number


def end_on_sigterm(code: int = SIGTERM_EXIT) -> None:
    """Let SIGTERM raise SystemExit(code) in the main thread, from which this must be called.

    Python drops an exception that is raised inside a finalizer or a weak reference's callback, of which py4j runs
    many: a signal that arrives at that moment would go unheard. So an ending that was dropped is raised once more.
    """
    dropped: list[BaseException] = []
    report = sys.unraisablehook

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(code)

    def end_again(_number: int, _frame: FrameType | None) -> None:
        if dropped:
            raise dropped.pop()

    def notice(unraisable: "sys.UnraisableHookArgs") -> None:
        if isinstance(unraisable.exc_value, SystemExit | KeyboardInterrupt):
            dropped[:] = [unraisable.exc_value]
            signal.setitimer(signal.ITIMER_REAL, POLL_INTERVAL_S)
        else:
            report(unraisable)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end_again)
    sys.unraisablehook = notice


def end_child(child: "subprocess.Popen[bytes]", patience: float = END_TIMEOUT_S) -> None:
    """Ask a child to end, and end it after `patience` seconds. Does nothing where it has ended."""
    child.terminate()
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """On Linux let the kernel send this process a signal when its parent is gone, even by kill -9."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(number))
