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


class WaitReport:
    """Logs each new reason of a wait, and one that stays every `interval_s` seconds."""

    def __init__(self, limit_s: float, interval_s: float):
        self._limit = f" of {limit_s:.0f}" if limit_s < math.inf else ""
        self._interval_s = interval_s
        self._reason, self._reported_at = "", 0.0

    def __call__(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        now = time.monotonic()
        if isinstance(error, UnavailableError) and (
            error.message != self._reason or now - self._reported_at >= self._interval_s
        ):
            self._reason, self._reported_at = error.message, now
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
