"""What is on disk counts as what is in memory does: every size small enough that all of it spills."""

import fcntl
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.online import scratch
from millrace.online.event_counts import EventCounts, WorkingSet
from millrace.online.scratch import SCRATCH_ERRORS, ScratchFolder, ScratchFullError
from millrace.online.version_base import VersionBase
from millrace.records.times import MARGIN_S
from tests.online import made
from tests.online.in_memory import InMemoryCounts
from tests.online.test_fold import ARRIVED_MS, arrivals, state, world

MAX_BYTES = 512 << 20
TINY = WorkingSet(cache_bytes=1, users=1, cells=3, changes=2)
ROOM = 1 << 30
BEFORE = made.records(120)


def make_base(half_life: float | None) -> VersionBase:
    live = made.live_of(made.sequences(BEFORE), half_life)
    return made.base(made.arrays(BEFORE, live, None), live)


BASES = {half_life: make_base(half_life) for half_life in (None, 3600.0)}
minutes = st.none() | st.integers(-300, 40) | st.just(40_000_000)  # before the snapshot's end too, and impossible
events = st.tuples(
    st.sampled_from([None, 1, 2, 30]),  # None: without a user; 30 is no user of the snapshot
    st.integers(0, made.ITEMS + 2),  # the last ones are items that the version does not know
    minutes,
)


def to_record(user: int | None, item: int, minute: int | None) -> made.Record:
    record = made.record(user or 0, item, None if minute is None else 100_000 + minute)
    return record if user else record | {"user_id": None}


def add_all(counts: EventCounts, placed: list[tuple[made.Record, tuple[int, int, int]]]) -> None:
    for record, arrival in placed:
        counts.add(record, arrival)


@st.composite
def readings(draw) -> list[tuple[made.Record, tuple[int, int, int]]]:
    """Some events, of which some arrive several times, as any order of reading has them."""
    chosen = draw(st.lists(events, min_size=1, max_size=40))
    records = [to_record(*draw(st.sampled_from(chosen))) for _ in range(draw(st.integers(1, 60)))]
    if draw(st.booleans()):
        records += BEFORE[-3:]
    late_ms = draw(st.sampled_from([1, 40_000]))  # between two arrivals, so that a time becomes plausible on the way
    placed = [(record, (ARRIVED_MS + number * late_ms, number % 3, number)) for number, record in enumerate(records)]
    return draw(st.permutations(placed))


@pytest.mark.parametrize("half_life", [None, 3600.0], ids=["count", "time-weighted"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(placed=readings())
def test_counts_on_disk_equal_counts_in_memory_in_any_order(half_life, placed):
    base = BASES[half_life]
    bounded, simple, in_order = EventCounts(base, sizes=TINY), InMemoryCounts(base), InMemoryCounts(base)
    for record, arrival in placed:
        assert bounded.add(record, arrival) == simple.add(record, arrival)
    for record, arrival in sorted(placed, key=lambda message: message[1]):
        in_order.add(record, arrival)
    assert state(bounded) == simple.state() == in_order.state()
    for counts in (simple, in_order):
        assert (bounded.accepted, bounded.unlinked) == (counts.accepted, counts.unlinked)


def test_each_publication_names_all_that_changed_however_little_is_held():
    events, split, base, _ = world()
    small, large = EventCounts(base, sizes=TINY), EventCounts(base)
    for number, (record, arrival) in enumerate(arrivals(events[split:])):
        for counts in (small, large):
            counts.add(record, arrival)
        if number % 10 == 9:
            assert dict(small.messages()) == dict(large.messages())
            for counts in (small, large):
                counts.mark_published()
                assert not counts.changed
                assert not dict(counts.messages())


def test_late_events_of_a_long_tail_are_put_in_place_like_early_ones(tmp_path):
    base = BASES[None]
    placed = arrivals([made.record(1, number % made.ITEMS, 200_000 + number) for number in range(500)])
    order = np.random.default_rng(3).permutation(len(placed))
    with ScratchFolder(tmp_path, ROOM) as folder:
        bounded, simple = EventCounts(base, folder, TINY), InMemoryCounts(base)
        for number in order:
            bounded.add(*placed[number])
        for record, arrival in placed:
            simple.add(record, arrival)
        assert state(bounded) == simple.state()
        assert folder.count_bytes() > 30_000
        bounded.close()
        assert folder.count_bytes() == 0, "what follows the next version has all of the room"


def test_files_are_private_and_gone_when_the_process_ends(tmp_path):
    with ScratchFolder(tmp_path / "home", ROOM) as folder:
        counts = EventCounts(BASES[None], folder, TINY)
        for record, arrival in arrivals(BEFORE):
            counts.add(record | {"course_id": "new"}, arrival)
        assert folder.count_bytes() > 0
        assert (tmp_path / "home").stat().st_mode & 0o077 == 0
        assert folder.path.stat().st_mode & 0o077 == 0
    assert list((tmp_path / "home" / scratch.FOLDER).iterdir()) == []


def test_start_removes_what_a_killed_process_left_and_nothing_else(tmp_path):
    left = tmp_path / scratch.FOLDER / "left"
    left.mkdir(parents=True)
    (left / "some.sqlite").write_bytes(bytes(1000))
    never_locked = tmp_path / scratch.FOLDER / "killed-at-once"
    never_locked.mkdir()
    with ScratchFolder(tmp_path, ROOM) as other, ScratchFolder(tmp_path, ROOM) as folder:
        assert {entry.name for entry in folder.path.parent.iterdir()} == {other.path.name, folder.path.name}


def test_lock_is_held_until_the_process_ends(tmp_path):
    with ScratchFolder(tmp_path, ROOM) as folder:
        number = os.open(folder.path / scratch.LOCK, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(number)


def test_more_than_the_budget_is_refused_with_both_values_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("millrace.online.event_counts.ROOM_CHECK_EVENTS", 1)
    with ScratchFolder(tmp_path, 100_000) as folder:
        counts = EventCounts(BASES[None], folder, TINY)
        placed = arrivals([made.record(1, 1, 300_000 + number) for number in range(2000)])
        with pytest.raises(ScratchFullError, match=r"take 0\.1 MB in .*; allowed: 0\.1 MB\. Train again"):
            add_all(counts, placed)
        assert 0 < counts.accepted < 2000


def test_full_disk_is_an_error_of_those_that_the_follower_starts_over_from(tmp_path):
    with ScratchFolder(tmp_path, ROOM) as folder:
        counts = EventCounts(BASES[None], folder, TINY)
        counts._database.execute("PRAGMA max_page_count = 20")  # SQLite says the same of a full disk
        placed = arrivals([made.record(1, 1, 300_000 + number) for number in range(3000)])
        with pytest.raises(SCRATCH_ERRORS, match="full"):
            add_all(counts, placed)


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(ScratchFullError, match=r"home/online can't be written to \(.+\)\. .*MILLRACE_HOME"):
        ScratchFolder(tmp_path / "home", ROOM)


def test_plausible_copy_of_event_that_arrived_too_early_keeps_the_place_of_the_first():
    """A copy that is read first and counts later must be taken out with the time that it was given."""
    base = BASES[None]
    stated = datetime.fromtimestamp(ARRIVED_MS / 1000 + MARGIN_S, UTC) + timedelta(days=2)
    same = made.record(1, 5, None) | {"enrolled_at": stated}
    others = [(made.record(1, item, None), (ARRIVED_MS + 5 + item, 1, item)) for item in range(3)]
    first, again = (same, (ARRIVED_MS, 0, 0)), (same, (ARRIVED_MS + 10 * 86_400_000, 0, 7))
    bounded, simple = EventCounts(base, sizes=TINY), InMemoryCounts(base)
    for record, arrival in (again, *others, first):
        bounded.add(record, arrival)
    for record, arrival in (first, *others, again):
        simple.add(record, arrival)
    assert state(bounded) == simple.state()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_snapshot_plus_replay_of_its_own_records_changes_nothing(data):
    counts = EventCounts(BASES[None], sizes=TINY)
    again = data.draw(st.lists(st.sampled_from(BEFORE), max_size=30))
    for number, record in enumerate(again):
        assert not counts.add(record, (ARRIVED_MS + number, number % 3, number))
    assert (counts.accepted, counts.repeated) == (0, len(again))
    assert not list(counts.messages())


@pytest.mark.thorough
@pytest.mark.parametrize(("workload", "count"), [("shop", 2_000_000), ("mooc", 5_000_000)])
def test_millions_of_events_pass_through_half_a_gibibyte(workload, count, tmp_path):
    command = [sys.executable, "-m", "tests.online.updater_memory", workload, str(count), str(tmp_path)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (report["accepted"], report["popular"]) == (count, count)
    assert report["peak_bytes"] < MAX_BYTES, report
