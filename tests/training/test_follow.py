"""Following the lake without Spark: which workload is trained when."""

import pytest

from millrace.training.follow import Schedule, follow
from millrace.training.options import Pace


class Stopped(Exception):
    """Ends a following that would go on for ever."""


def trained(landed: list[dict[str, int]], pace: Pace) -> list[str]:
    """The workloads in the order in which they are trained while so many rows have landed, round by round."""
    names, rounds = [], iter(landed[1:])
    rows = dict(landed[0])

    def wait(seconds: float) -> None:
        try:
            rows.update(next(rounds))
        except StopIteration:
            raise Stopped from None

    with pytest.raises(Stopped):
        follow(landed[0], pace, names.append, lambda name: rows[name], wait)
    return names


def test_every_followed_workload_is_trained_by_its_own_row_count():
    rounds = [{"courses": 600, "products": 500}, {"products": 900}, {"products": 1000}, {"courses": 1100}]
    assert trained(rounds, Pace(rows=500)) == ["courses", "products", "products", "courses"]


def test_workload_without_rows_waits_without_blocking_others():
    assert trained([{"courses": 0, "products": 3}, {"courses": 2}], Pace(seconds=1)) == ["products", "courses"]


def test_time_based_pace_trains_only_on_new_rows():
    schedule = Schedule(Pace(seconds=10))
    answers = [schedule.start_if_due(rows, now) for rows, now in [(5, 0), (9, 9), (9, 10), (9, 30), (12, 35), (12, 41)]]
    assert answers == [True, False, True, False, True, False]
