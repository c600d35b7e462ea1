"""Ending by a signal, as an exception that runs every `finally` and can't get lost; ending a child for certain."""

import signal
import subprocess
import sys
from types import FrameType
from typing import NoReturn

SIGTERM_EXIT = 128 + signal.SIGTERM
POLL_INTERVAL_S = 0.05
"""Seconds after which an ending that a finalizer swallowed is raised again."""
END_TIMEOUT_S = 30.0
"""Seconds that a child may take to end by itself; Spark takes up to ten."""


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
