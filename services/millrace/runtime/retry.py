"""Waiting for a dependency that is not available yet, with reports in the log."""

import logging
import math
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from millrace.errors import UnavailableError

log = logging.getLogger(__name__)
Result = TypeVar("Result")
RETRY_DELAY_S = 2.0
REPORT_INTERVAL_S = 30.0
"""Seconds after which the same reason is reported again, with how long it has been waited for."""


class RepeatFilter:
    """Holds back a sentence that repeats the last one, for `interval_s` seconds: what lasts is reported once."""

    def __init__(self, interval_s: float = math.inf):
        self._interval_s = interval_s
        self._last: str | None = None
        self._passed_at = -math.inf

    def passes(self, sentence: str) -> bool:
        """Whether to report the sentence now."""
        now = time.monotonic()
        if sentence == self._last and now - self._passed_at < self._interval_s:
            return False
        self._last, self._passed_at = sentence, now
        return True

    def reset(self) -> None:
        """Let the next sentence pass, whichever it is: what was reported is over."""
        self._last = None


class WaitReport:
    """Logs each new reason of a wait, and one that stays every `interval_s` seconds."""

    def __init__(self, limit_s: float, interval_s: float):
        self._limit = f" of {limit_s:.0f}" if limit_s < math.inf else ""
        self._reasons = RepeatFilter(interval_s)

    def __call__(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        if isinstance(error, UnavailableError) and self._reasons.passes(error.message):
            log.info("waiting, %.0f%s s so far: %s", state.seconds_since_start or 0.0, self._limit, error.message)


def retry_unavailable(
    step: Callable[[], Result],
    seconds: float,
    delay_s: float = RETRY_DELAY_S,
    report_interval_s: float = REPORT_INTERVAL_S,
) -> Result:
    """What `step` returns, tried again while it raises UnavailableError, for `seconds` from the first time on.

    Raises the last UnavailableError.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(UnavailableError),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(delay_s),
        before_sleep=WaitReport(seconds, report_interval_s),
        reraise=True,
    )
    return retrying(step)
