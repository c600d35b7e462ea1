"""Which record ids the table of pages holds: sorted hashes on the driver's disk, made from the table at every start.

Kafka may hold a record twice: an ingest that was killed is run again, a file that has grown is ingested whole. Both
copies have one record id, at two offsets. The table alone says what is done; the index is how a batch asks it.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

RECENT_HASHES = 1 << 20  # hashes in memory; when there are more they become a run on disk
MERGED_HASHES = 1 << 20  # hashes of the longer run that are merged at once
ARRIVAL = np.dtype([("partition", "<i4"), ("offset", "<i8"), ("hash", "<u8")])
"""A record of a batch: where it stands in Kafka, and the hash of its record id."""
Repeats = Mapping[int, np.ndarray]
"""Partition -> sorted offsets of records that are left out, because their record id came before."""


def hash_record_ids(record_ids: Sequence[str]) -> np.ndarray:
    """(n,) uint64 hashes (SipHash); of a billion ids, two share one with a probability of 3 %."""
    values = np.array(record_ids, dtype=object)
    return pd.util.hash_array(values, categorize=False)  # pyright: ignore[reportAttributeAccessIssue] - it is lazy


class RecordIndex:
    """A set of 64-bit hashes: 8 bytes each in files of `folder` that vanish with the process, 8 MB in memory.

    New hashes are sorted into an array in memory. When it is full it becomes a run on disk. Of two runs the older is at
    least twice as long, or they are merged: there are few, and each is read by binary search.
    """

    def __init__(self, folder: Path, recent_hashes: int = RECENT_HASHES, merged_hashes: int = MERGED_HASHES):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._recent_hashes, self._merged_hashes = folder, recent_hashes, merged_hashes
        self._recent = np.empty(0, np.uint64)
        self._runs: list[np.ndarray] = []

    @classmethod
    def build(cls, folder: Path, blocks: Iterable[np.ndarray]) -> "RecordIndex":
        """An index of these hashes."""
        index = cls(folder)
        for block in blocks:
            index.add(block)
        return index

    def __len__(self) -> int:
        """How many hashes were added."""
        return len(self._recent) + sum(map(len, self._runs))

    def contains(self, hashes: np.ndarray) -> np.ndarray:
        """(n,) bool: which of the uint64 hashes were added. Sorted ones are answered fastest."""
        present = np.zeros(len(hashes), bool)
        for run in (*self._runs, self._recent):
            if len(run):
                places = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
                present |= run[places] == hashes
        return present

    def add(self, hashes: np.ndarray) -> None:
        """Take in uint64 hashes, in any order. Raises OSError where the disk is full."""
        # A stable sort merges the sorted part in one pass.
        self._recent = np.sort(np.concatenate([self._recent, np.sort(hashes)]), kind="stable")
        if len(self._recent) < self._recent_hashes:
            return
        self._runs.append(self._write([self._recent]))
        self._recent = np.empty(0, np.uint64)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            shorter, longer = self._runs[-2:]
            merged = self._write(_merge(longer, shorter, self._merged_hashes))
            self._runs[-2:] = [merged]

    def _write(self, blocks: Iterable[np.ndarray]) -> np.ndarray:
        """The sorted blocks as one array that is read from disk; its file has no name and ends with it."""
        with tempfile.TemporaryFile(dir=self._folder) as file:
            for block in blocks:
                file.write(block.tobytes())
            file.flush()
            return np.asarray(np.memmap(file, np.uint64, "r"))


def _merge(longer: np.ndarray, shorter: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """The hashes of both in order, in blocks of `most` of the longer and what of the shorter lies between."""
    begin = 0
    for start in range(0, len(longer), most):
        block = longer[start : start + most]
        is_last = start + most >= len(longer)
        end = len(shorter) if is_last else int(np.searchsorted(shorter, block[-1], side="right"))
        yield np.sort(np.concatenate([block, shorter[begin:end]]), kind="stable")
        begin = end


def find_repeats(arrivals: np.ndarray, index: RecordIndex) -> Repeats:
    """The records among `arrivals` (ARRIVAL) whose id the index has, or one before them in their batch."""
    order = np.lexsort((arrivals["offset"], arrivals["partition"], arrivals["hash"]))
    hashes = arrivals["hash"][order]
    repeated = index.contains(hashes)
    repeated[1:] |= hashes[1:] == hashes[:-1]
    left_out = arrivals[order[repeated]]
    return {
        int(partition): np.sort(left_out["offset"][left_out["partition"] == partition])
        for partition in np.unique(left_out["partition"])
    }
