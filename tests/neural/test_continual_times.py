"""Which times of a stream are believed, and what an event without one counts for."""

from datetime import UTC, datetime, timedelta

import orjson

from millrace.messaging.reader import Message
from millrace.neural.continual.event_log import read_events
from millrace.neural.continual.item_counts import DAY_S, ItemCounts
from millrace.records.times import MARGIN_S
from millrace.workloads import find_workload

MODEL = find_workload("mooc").recommenders[0]
ARRIVED = datetime(2017, 6, 1, tzinfo=UTC)
DAY_OF_ARRIVAL = int(ARRIVED.timestamp()) // DAY_S


def message(at: str | None) -> Message:
    value = orjson.dumps({"user_id": "U", "course_id": "C", "enrolled_at": at})
    return Message(0, 0, int(ARRIVED.timestamp() * 1000), b"U", value, {})


def stated(*times: str | None) -> list[float | None]:
    events = read_events([message(at) for at in times], MODEL)
    assert all(event.user == "U" for event in events)
    return [event.at for event in events]


def test_event_time_is_trusted_up_to_one_day_after_arrival():
    edge = ARRIVED + timedelta(seconds=MARGIN_S)
    late = edge + timedelta(microseconds=1)
    assert stated(edge.isoformat(), late.isoformat()) == [edge.timestamp(), None]
    assert stated("2099-12-31T00:00:00Z", "1969-07-20T00:00:00Z", None) == [None, None, None]
    assert stated("2017-01-01T00:00:00") == [datetime(2017, 1, 1, tzinfo=UTC).timestamp()]


def test_invalid_time_makes_event_unreadable():
    assert [event.user for event in read_events([message("soon")], MODEL)] == [None]


def test_event_with_unknown_time_counts_as_newest_and_moves_no_window():
    taken = ItemCounts(30)
    taken.grow(3)
    taken.add([0, 0, 1], [float(DAY_OF_ARRIVAL * DAY_S)] * 3)
    before = taken.order.tolist()
    taken.add([2], [None])
    assert list(taken.days) == [DAY_OF_ARRIVAL]
    assert taken.order.tolist() == [*before, 2]


def test_popularity_covers_all_time_when_no_event_has_a_time():
    taken = ItemCounts(30)
    taken.grow(2)
    taken.add([1, 0, 1], [None, None, None])
    assert taken.days == {}
    assert taken.order.tolist() == [1, 0]
    # What comes with a time then begins a window, whatever day it is.
    taken.add([0], [float(DAY_OF_ARRIVAL * DAY_S)])
    assert taken.order.tolist() == [0, 1]


def test_checkpoint_with_counted_future_time_recovers_its_window():
    taken = ItemCounts(30)
    taken.grow(2)
    poisoned = datetime(2099, 12, 31, tzinfo=UTC).timestamp()
    taken.add([1], [poisoned])
    again = ItemCounts.load(30, taken.arrays(), ARRIVED.timestamp() + MARGIN_S)
    again.add([0, 0], [ARRIVED.timestamp()] * 2)
    assert list(again.days) == [DAY_OF_ARRIVAL]
    assert again.order.tolist() == [0, 1]


def test_an_unreadable_message_has_no_time():
    (event,) = read_events([message(None)._replace(value=b"[]")], MODEL)
    assert (event.user, event.at) == (None, None)
