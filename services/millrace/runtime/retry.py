"""Waiting for a part that is not there yet, aloud."""

import math
import time
from collections.abc import Callable
from typing import TypeVar

from millrace.errors import UnavailableError

Result = TypeVar("Result")
RETRY_DELAY_S = 2.0
REPORT_INTERVAL_S = 30.0
"""Seconds after which the same reason is said again, with how long it has been waited for."""


def retry_unavailable(
    step: Callable[[], Result],
    seconds: float,
    say: Callable[[str], None],
    pause: float = RETRY_DELAY_S,
    again: float = REPORT_INTERVAL_S,
) -> Result:
    """What `step` returns, tried again while it raises UnavailableError, for `seconds` from the first time on.

    `say` hears each new reason, and one that stays every `again` seconds. Raises the last UnavailableError.
    """
    begun = time.monotonic()
    heard, heard_at = "", begun
    while True:
        try:
            return step()
        except UnavailableError as error:
            now = time.monotonic()
            if now - begun >= seconds:
                raise
            if error.message != heard or now - heard_at >= again:
                heard, heard_at = error.message, now
                limit = f" of {seconds:.0f}" if seconds < math.inf else ""
                say(f"waiting, {now - begun:.0f}{limit} s so far: {error.message}")
        time.sleep(pause)
