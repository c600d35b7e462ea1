"""Offsets in the lake are counted each once, whatever stands twice."""

import pytest

from millrace.errors import UnavailableError
from millrace.lake import progress, sink
from millrace.lake.gaps import ACCEPTED, record_gaps
from millrace.lake.landed_offsets import LandedOffsets
from millrace.lake.progress import measure_landing, wait_until_landed
from tests.local_lake import MOOC


@pytest.fixture
def published(monkeypatch):
    """The next offset of each partition of the topic."""
    ends: dict[int, int] = {}
    monkeypatch.setattr(progress, "end_offsets", lambda topic: ends)
    monkeypatch.setattr(progress.time, "sleep", lambda _: None)
    return ends


def test_offsets_are_known_by_range_and_repeats_by_count(local_lake):
    local_lake((0, 0, 4), (1, 0, 2))
    local_lake((0, 3, 6))
    landed = LandedOffsets("mooc")
    landed.look()
    assert landed.ranges == [(0, 0, 6), (1, 0, 2)]
    assert (landed.rows, landed.repeated) == (12, 2)


def test_second_look_reads_new_files_only_and_compacted_ones_anew(local_lake, monkeypatch):
    from millrace.lake import landed_offsets, tables

    read, real = [], landed_offsets._read_positions
    monkeypatch.setattr(
        landed_offsets, "_read_positions", lambda scan, tasks: read.append(len(tasks)) or real(scan, tasks)
    )
    result = LandedOffsets("mooc")
    result.look()
    local_lake((0, 0, 4))
    local_lake((0, 5, 9))
    result.look()
    result.look()
    local_lake((1, 0, 0))
    result.look()
    assert (read, result.ranges) == ([2, 1], [(0, 0, 9), (1, 0, 0)])
    table = tables.load_table("mooc")
    table.overwrite(table.scan(row_filter="kafka_offset < 5").to_arrow())
    result.look()
    assert (read, result.ranges, result.rows) == ([2, 1, 1], [(0, 0, 4), (1, 0, 0)], 6)


def test_files_are_read_in_groups_of_bounded_rows(local_lake, monkeypatch):
    from millrace.lake import landed_offsets

    monkeypatch.setattr(landed_offsets, "MAX_ROWS_AT_ONCE", 7)
    for first in (0, 5, 10):
        local_lake((0, first, first + 4))
    result = LandedOffsets("mooc")
    result.look()
    assert (result.ranges, result.rows) == ([(0, 0, 14)], 15)


def test_rows_that_stand_twice_do_not_make_up_for_those_that_are_missing(local_lake, dead_letters, published):
    published[0] = 10
    local_lake((0, 0, 6))
    local_lake((0, 4, 6))

    def land(landed: int, total: int) -> None:
        if len(looks) == 2:
            local_lake((0, 7, 9))
        looks.append(landed)

    looks: list[int] = []
    assert wait_until_landed(MOOC, progress=land) == 13
    assert looks == [10, 10, 10, 10]


def test_wait_ends_at_what_is_explained_and_names_what_is_not(local_lake, dead_letters, published, monkeypatch):
    published |= {0: 10, 1: 3}
    local_lake((0, 0, 4), (0, 6, 8), (1, 0, 2))
    dead_letters += [("mooc.records", 0, 5)]
    state = {"connector": "lake-mooc", "state": "RUNNING", "tasks": []}
    monkeypatch.setattr(sink, "sink_status", lambda name: state)
    with pytest.raises(UnavailableError, match=r"holds 12 of 13 .* the first that is missing is partition 0 offset 9"):
        wait_until_landed(MOOC, timeout=0)
    record_gaps(MOOC, [(0, 9, 9)], ACCEPTED)
    assert wait_until_landed(MOOC, timeout=0) == 11


def test_doctor_tells_loss_from_lag_and_does_not_mind_repeats(local_lake, dead_letters, published):
    published |= {0: 20}
    local_lake((0, 0, 4), (0, 7, 9), (0, 12, 15))
    local_lake((0, 12, 15))
    dead_letters += [("mooc.records", 0, 10)]
    landing = measure_landing(MOOC)
    assert (landing.published, landing.landed, landing.explained, landing.on_their_way) == (20, 12, 1, 4)
    assert landing.lost == [(0, 5, 6), (0, 11, 11)]
    assert str(landing) == (
        "12 of 20 landed, 4 on their way, 1 known to be missing (dead letters, or accepted), "
        "3 lost, the first gap is partition 0 offsets 5 to 6, 4 rows repeat others and are not read"
    )
    local_lake((0, 5, 6), (0, 11, 11), (0, 16, 19))
    record_gaps(MOOC, [(0, 10, 10)], ACCEPTED)
    dead_letters.clear()
    landing = measure_landing(MOOC)
    assert not landing.lost
    assert str(landing).startswith("19 of 20 landed, 1 known to be missing")
