"""Ranges of offsets against sets of offsets."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from millrace.lake.offset_ranges import OffsetRange, count_offsets, find_ranges, merge_ranges, subtract_ranges

RANGES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 30)), max_size=8)


def spell_out(ranges) -> set[tuple[int, int]]:
    return {(partition, offset) for partition, first, last in ranges for offset in range(first, last + 1)}


@given(RANGES)
def test_merged_ranges_are_the_fewest_that_hold_the_same_offsets(ranges):
    merged = merge_ranges(ranges)
    assert spell_out(merged) == spell_out(ranges)
    assert count_offsets(merged) == len(spell_out(ranges))
    assert merged == merge_ranges(OffsetRange(*place, place[1]) for place in spell_out(ranges))


@given(RANGES, RANGES)
def test_subtracted_ranges_hold_what_is_in_the_first_alone(ranges, others):
    left = subtract_ranges(ranges, others)
    assert spell_out(left) == spell_out(ranges) - spell_out(others)
    assert left == merge_ranges(left)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), max_size=40))
def test_ranges_of_columns_hold_each_offset_once(places):
    partitions, offsets = (np.array([place[i] for place in places], dtype=np.int64) for i in (0, 1))
    assert list(find_ranges(partitions, offsets)) == merge_ranges((*place, place[1]) for place in places)


def test_a_range_of_a_billion_offsets_costs_no_more_than_one_of_ten():
    whole = OffsetRange(0, 0, 10**9)
    assert subtract_ranges([whole], [(0, 5, 10**9 - 5)]) == [(0, 0, 4), (0, 10**9 - 4, 10**9)]
    assert str(whole) == "partition 0 offsets 0 to 1000000000"
    assert str(OffsetRange(3, 7, 7)) == "partition 3 offset 7"
