"""What the updater reads of the records topic, without a broker."""

from datetime import UTC, datetime
from types import SimpleNamespace

import orjson
import pytest

from millrace.online.version_follower import VersionFollower
from tests.online import made

ARRIVED_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def followed() -> VersionFollower:
    before = made.records(100)
    live = made.live_of(made.sequences(before), None)
    return VersionFollower(made.base(made.arrays(before, live, None), live), {}, {})


def take(followed: VersionFollower, offset: int, **values: object) -> None:
    value = orjson.dumps({"user_id": "U01", "course_id": "C05"} | values)
    followed._add_record(SimpleNamespace(partition=0, offset=offset, timestamp=ARRIVED_MS, value=value))


@pytest.mark.parametrize("year", [1900, 1970, 2099, 2150, 9000])
def test_event_with_impossible_time_counts_once_with_unknown_time(followed, year):
    for offset in range(2):
        take(followed, offset, enrolled_at=f"{year:04}-01-01T00:00:00+00:00")
    assert (followed.fold.accepted, followed.fold.repeated) == (1, 1)
    assert [(one.item, one.time) for one in followed.fold.tails["U01"].sequence] == [(5, None)]


@pytest.mark.parametrize(
    "values",
    [{"enrolled_at": "soon"}, {"enrolled_at": 7}, {"enrolled_at": "2150-01-01", "course_id": ""}, {"user_id": None}],
)
def test_invalid_event_is_skipped_as_unreadable(followed, values):
    take(followed, 0, **values)
    assert followed.fold.accepted == 0
    assert followed.next == {0: 1}
