"""What the fold of events gives is what a training counts over all of them, in whatever order they were read."""

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from millrace.online import deltas
from millrace.online.event_counts import EventCounts
from millrace.online.version_base import VersionBase
from millrace.records.times import MARGIN_S
from millrace.serving.overlays import Overlays
from tests.online import made

DAY = 86_400.0
PARTITIONS = 4
ARRIVED_MS = int(datetime(2020, 2, 1, tzinfo=UTC).timestamp() * 1000)
"""When the first event arrives: after all that `made` tells of."""
WEIGHTS = pytest.mark.parametrize("half_life", [None, DAY / 8], ids=["count", "time-weighted"])


def world(half_life: float | None = None):
    """All events, how many of them the snapshot holds, and the version's base and arrays."""
    events = made.records(600)
    live = made.live_of(made.sequences(events[:400]), half_life)
    arrays = made.arrays(events[:400], live, None)
    return events, 400, made.base(arrays, live), arrays


def arrivals(records: list[made.Record]) -> list[tuple[made.Record, tuple[int, int, int]]]:
    """Each record with its place: a user's in one partition, in order."""
    ends = [0] * PARTITIONS
    placed = []
    for number, record in enumerate(records):
        partition = int(record["user_id"][1:]) % PARTITIONS
        placed.append((record, (ARRIVED_MS + number, partition, ends[partition])))
        ends[partition] += 1
    return placed


def interleaved(placed, seed: int):
    """The same messages as another reading of the partitions gives them."""
    queues = [[one for one in placed if one[1][1] == partition] for partition in range(PARTITIONS)]
    chooser = random.Random(seed)
    while any(queues):
        yield chooser.choice([queue for queue in queues if queue]).pop(0)


def folded(base: VersionBase, placed) -> EventCounts:
    fold = EventCounts(base)
    for record, arrival in placed:
        fold.add(record, arrival)
    return fold


def state(fold: EventCounts) -> tuple:
    """Everything that readers get, without cells that came to nothing."""
    overlays = Overlays([made.MODEL])
    for key, value in fold.messages():
        overlays.apply(key, value, 0)
    overlay = overlays.get(made.MODEL, made.VERSION)
    rows = {row: {item: units for item, units in cells.items() if units} for row, cells in overlay.rows.items()}
    items, counts = overlay.popular or (np.empty(0), np.empty((2, 0)))
    popular = dict(zip(items.tolist(), counts.T.tolist(), strict=True))
    return {row: cells for row, cells in rows.items() if cells}, dict(overlay.users), popular


def added(fold: EventCounts) -> np.ndarray:
    result = np.zeros((made.ITEMS, made.ITEMS))
    for item in range(made.ITEMS):
        for row, units in fold.cells(item).items():
            result[row, item] += units / fold.base.live.scale
    return result


@WEIGHTS
@pytest.mark.parametrize("seed", range(3))
def test_snapshot_plus_additions_equal_transitions_of_all_events(half_life, seed):
    events, split, base, _ = world(half_life)
    fold = folded(base, interleaved(arrivals(events[split:]), seed))
    live = base.live
    before = made.counted(made.sequences(events[:split]), live).toarray()
    whole = made.counted(made.sequences(events), live).toarray()
    np.testing.assert_allclose(before + added(fold), whole, rtol=1e-5, atol=1e-6)
    assert fold.accepted == len(events) - split


def test_unweighted_counts_are_integer_multiples_of_unit():
    events, split, base, _ = world()
    fold = folded(base, arrivals(events[split:]))
    expected = made.counted(made.sequences(events), base.live) - made.counted(made.sequences(events[:split]), base.live)
    units = np.rint(expected.toarray().astype(np.float64) * 2520).astype(int)
    assert (np.rint(added(fold) * 2520).astype(int) == units).all()


@WEIGHTS
def test_messages_do_not_depend_on_read_order(half_life):
    events, split, base, _ = world(half_life)
    placed = arrivals(events[split:])
    expected = state(folded(base, placed))
    for seed in range(3):
        assert state(folded(base, interleaved(placed, seed))) == expected
    # As a shop has it, whose key is the order: one user's events come from several partitions, in any order.
    shuffled = placed[:]
    random.Random(9).shuffle(shuffled)
    assert state(folded(base, shuffled)) == expected


def test_unordered_and_unknown_times_are_sorted_as_in_training():
    _, _, base, _ = world()
    later = [
        made.record(1, 5, 9000),
        made.record(1, 6, None),  # stands behind the one before it
        made.record(1, 7, 8000),  # is older than both
        made.record(1, 8, 9001),
    ]
    fold = folded(base, arrivals(later))
    assert [item for _, item in fold.tail("U01")] == [7, 5, 6, 8]
    again = EventCounts(base)
    for record, arrival in reversed(arrivals(later)):
        again.add(record, arrival)
    assert state(again) == state(fold)


def test_event_already_in_snapshot_or_earlier_message_counts_once():
    events, split, base, _ = world()
    placed = arrivals(events[split:])
    once = folded(base, placed)
    twice = folded(base, placed)
    ends = 10_000
    for number, record in enumerate([*events[:50], *events[-50:]]):
        assert not twice.add(record, (ARRIVED_MS + 1_000_000 + number, 0, ends + number))
    assert dict(twice.messages()) == dict(once.messages())
    assert twice.repeated == 100


def test_first_arrival_of_duplicate_event_counts_even_if_read_last():
    _, _, base, _ = world()
    first, other, same = made.record(2, 3, None), made.record(2, 4, None), made.record(2, 3, None)
    fold = EventCounts(base)
    fold.add(other, (20, 0, 1))
    fold.add(same, (30, 0, 2))
    fold.add(first, (10, 1, 0))
    assert [item for _, item in fold.tail("U02")] == [3, 4]
    assert state(fold) == state(folded(base, [(first, (10, 1, 0)), (other, (20, 0, 1))]))


def test_unknown_item_keeps_its_place_in_history_without_links():
    _, _, base, _ = world()
    unknown = made.record(3, 3, None) | {"course_id": "C_new"}
    fold = folded(base, arrivals([made.record(3, 3, 9000), unknown, made.record(3, 4, 9100)]))
    assert fold.unlinked == 1
    near = fold.cells(4)[3]
    assert near == 2520 // 2, "the unknown one stands between"
    overlays = Overlays([made.MODEL])
    for key, value in fold.messages():
        overlays.apply(key, value, 0)
    assert overlays.get(made.MODEL, made.VERSION).users["U03"] == [3, "C_new", 4]


def test_messages_contain_only_unpublished_changes():
    events, split, base, _ = world()
    placed = arrivals(events[split:])
    fold = EventCounts(base)
    for record, arrival in placed[:-1]:
        fold.add(record, arrival)
    fold.mark_published()
    record, arrival = placed[-1]
    fold.add(record, arrival)
    changed = dict(fold.messages())
    item = int(record["course_id"][1:])
    assert {deltas.split_key(key).kind for key in changed} == {"user", "column", "popular"}
    assert {deltas.split_key(key).name.partition(".")[0] for key in changed if "/column/" in key} == {str(item)}
    fold.mark_published(popular=False)
    assert [deltas.split_key(key).kind for key in dict(fold.messages())] == ["popular"]
    fold.mark_published()
    assert not dict(fold.messages())


FUTURE = datetime(2099, 12, 31, tzinfo=UTC)


@WEIGHTS
def test_future_event_counts_as_event_with_unknown_time(half_life):
    events, split, base, _ = world(half_life)
    later = events[split:]
    ends = (ARRIVED_MS + 10_000, 0, 10_000)
    poisoned, unknown = (folded(base, arrivals(later)) for _ in range(2))
    poisoned.add(made.record(4, 9, None) | {"enrolled_at": FUTURE}, ends)
    unknown.add(made.record(4, 9, None), ends)
    assert state(poisoned) == state(unknown)


def test_pre_snapshot_event_stays_out_of_window_despite_others_wrong_times():
    _, _, base, _ = world()
    fold = folded(base, arrivals([made.record(1, 5, -90 * 24 * 60), made.record(2, 6, None) | {"enrolled_at": FUTURE}]))
    # (in the window, of all time)
    assert fold.popularity(5) == (0, 1)
    assert fold.popularity(6) == (1, 1)


def test_event_time_is_trusted_up_to_one_day_after_arrival():
    _, _, base, _ = world()
    edge = datetime.fromtimestamp(ARRIVED_MS / 1000 + MARGIN_S, UTC)
    for late, expected in ((timedelta(), edge.timestamp()), (timedelta(microseconds=1), None)):
        fold = folded(base, [(made.record(1, 5, None) | {"enrolled_at": edge + late}, (ARRIVED_MS, 0, 0))])
        assert [time for time, _ in fold.tail("U01")] == [expected]


def test_first_arrival_decides_if_time_is_trusted_in_any_read_order():
    """As the training reads the lake: a copy that arrives when its time has come is still the same event."""
    _, _, base, _ = world()
    same = made.record(1, 5, None) | {"enrolled_at": datetime.fromtimestamp(ARRIVED_MS / 1000, UTC) + timedelta(days=9)}
    first, again = (same, (ARRIVED_MS, 0, 0)), (same, (ARRIVED_MS + 10 * 86_400_000, 0, 7))
    before, after = folded(base, [first, again]), folded(base, [again, first])
    assert [time for time, _ in before.tail("U01")] == [None]
    assert state(before) == state(after)
    assert (before.accepted, before.repeated) == (1, 1)
