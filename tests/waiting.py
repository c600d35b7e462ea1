"""Waiting for what comes in its own time."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
POLL_INTERVAL_S = 0.05


def until(true: Callable[[], Result], what: str = "it", seconds: float = 30) -> Result:
    """The first result that is not empty. Fails when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := true()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(POLL_INTERVAL_S)
    return result
