"""Locks on files, which the kernel gives back when their holder ends, also by kill -9."""

import fcntl
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

RETRY_INTERVAL_S = 0.05


def take_lock(path: Path, seconds: float = 0.0) -> IO[bytes] | None:
    """The open file whose closing gives the lock back; None when another process keeps it for so many seconds."""
    file = path.open("ab")
    deadline = time.monotonic() + seconds
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        if time.monotonic() >= deadline:
            file.close()
            return None
        time.sleep(RETRY_INTERVAL_S)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock now; False where there is no such file. Raises OSError where it can't be read.

    The look itself holds the lock, shared, for a moment.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
