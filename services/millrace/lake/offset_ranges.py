"""Sets of offsets as ranges: what Kafka has given, what the lake holds, what is known to be missing."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np


class OffsetRange(NamedTuple):
    """Offsets of a partition, from `first` to `last`, both part of it."""

    partition: int
    first: int
    last: int

    def __str__(self) -> str:
        what = f"offset {self.first}" if self.first == self.last else f"offsets {self.first} to {self.last}"
        return f"partition {self.partition} {what}"


def merge_ranges(ranges: Iterable[tuple[int, int, int]]) -> list[OffsetRange]:
    """The same offsets in the fewest ranges, sorted."""
    merged: list[OffsetRange] = []
    for partition, first, last in sorted(ranges):
        if last < first:
            continue
        before = merged[-1] if merged else None
        if before is not None and before.partition == partition and first <= before.last + 1:
            merged[-1] = before._replace(last=max(before.last, last))
        else:
            merged.append(OffsetRange(partition, first, last))
    return merged


def subtract_ranges(
    ranges: Iterable[tuple[int, int, int]], others: Iterable[tuple[int, int, int]]
) -> list[OffsetRange]:
    """The offsets that are in `ranges` and in none of `others`; costs a sort of each."""
    left: list[OffsetRange] = []
    taken = iter(merge_ranges(others))
    other = next(taken, None)
    for partition, first, last in merge_ranges(ranges):
        while other is not None and (other.partition, other.last) < (partition, first):
            other = next(taken, None)
        while other is not None and other.partition == partition and other.first <= last:
            if other.first > first:
                left.append(OffsetRange(partition, first, other.first - 1))
            first = other.last + 1
            if first > last:
                break  # the other one may reach into the next range
            other = next(taken, None)
        if first <= last:
            left.append(OffsetRange(partition, first, last))
    return left


def count_offsets(ranges: Iterable[tuple[int, int, int]]) -> int:
    """How many offsets there are in ranges that have none in common."""
    return sum(last - first + 1 for _, first, last in ranges)


def find_ranges(partitions: np.ndarray, offsets: np.ndarray) -> Iterator[OffsetRange]:
    """The ranges of (n,) whole numbers each, in any order, repeats included."""
    for partition in np.unique(partitions).tolist():
        present = np.unique(offsets[partitions == partition])
        ends = np.flatnonzero(np.diff(present) > 1)
        firsts = present[np.concatenate([[0], ends + 1])].tolist()
        lasts = present[np.concatenate([ends, [len(present) - 1]])].tolist()
        yield from (OffsetRange(int(partition), *ends) for ends in zip(firsts, lasts, strict=True))
