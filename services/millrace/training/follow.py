"""Training that follows the lake: every workload again when enough rows have landed, or enough time has passed."""

import time
from collections.abc import Callable, Iterable
from typing import NoReturn

from millrace.training.options import Pace

POLL_INTERVAL_S = 2.0


class Schedule:
    """When one workload is due: at once for its first rows, then at its pace, and only for new rows."""

    def __init__(self, pace: Pace):
        self.pace = pace
        self.trained_rows, self.trained_at = 0, float("-inf")

    def start_if_due(self, landed: int, now: float) -> bool:
        """Whether to train on `landed` rows at `now` seconds; if so, the pace counts from here."""
        if self.pace.rows:
            due = landed - self.trained_rows >= self.pace.rows
        else:
            due = now - self.trained_at >= (self.pace.seconds or 0)
        if not due or landed <= self.trained_rows:
            return False
        self.trained_rows, self.trained_at = landed, now
        return True


def follow(
    workloads: Iterable[str],
    pace: Pace,
    train: Callable[[str], None],
    count_rows: Callable[[str], int],
    wait: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Train each workload, by name, whenever it is due, one at a time. Ends with the process, or with an error."""
    schedules = {name: Schedule(pace) for name in workloads}
    while True:
        for name, schedule in schedules.items():
            if schedule.start_if_due(count_rows(name), time.monotonic()):
                train(name)
        wait(POLL_INTERVAL_S)
