"""Item-to-item links as CSR arrays, the one form in which kNN, Markov, EASE and ridge models are served."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from millrace.recommend.matrices import SparseMatrix

HISTORY_DEPTH = (
    32  # newest items of a history that take part: at the weights in use, older ones no longer move an answer
)
MAX_LINKS = 6_000_000  # links a model, 48 MB, as long as each item keeps at least LEAST
LEAST, MOST = 100, 1000  # links an item: what a top 10 needs, and what ranks far below it still gain from


def links_per_item(items: int) -> int:
    """Links an item: 1,000 up to 6,000 items, 110 at 54,542 items, never under 100."""
    return max(LEAST, min(MOST, MAX_LINKS // max(items, 1)))


def age_weights(power: float, depth: int = HISTORY_DEPTH) -> np.ndarray:
    """(depth,) float32 weights of a history's items, newest first: (1 + age) ** -power."""
    return (np.arange(1, depth + 1, dtype=np.float64) ** -power).astype(np.float32)


@dataclass(frozen=True)
class Links:
    """`starts`: (items + 1,) int64; `neighbours`: (n,) int32; `weights`: (n,) float32, all above 0; 8 bytes a link.

    Row h holds what an item h of the history says for others. The score of item i after the history h_0 (newest),
    h_1, ... is the sum over a of by_age[a] * weight(h_a, i).
    """

    starts: np.ndarray
    neighbours: np.ndarray
    weights: np.ndarray
    by_age: np.ndarray

    @property
    def items(self) -> int:
        return len(self.starts) - 1

    def with_ages(self, weights: np.ndarray) -> "Links":
        return replace(self, by_age=np.asarray(weights, dtype=np.float32))

    def matrix(self) -> SparseMatrix:
        """(items, items) SciPy CSR over the same arrays."""
        from scipy import sparse

        return sparse.csr_matrix((self.weights, self.neighbours, self.starts), shape=(self.items, self.items))


def keep_strongest(
    blocks: Iterable[np.ndarray | SparseMatrix], items: int, power: float = 1.0, keep: int | None = None
) -> Links:
    """Links from blocks of rows, (rows, items) SciPy sparse or dense each, in order: the `keep` largest above 0 a row.

    Blocks are CSR or dense. One at a time is in memory, so that a product of two sparse matrices never has to exist as
    a whole. Of equal weights at the border the lower item number stays.
    """
    keep = links_per_item(items) if keep is None else keep
    lengths, neighbours, weights = [], [], []
    first = 0
    for block in blocks:
        rows, columns, values = _list_entries(block, keep + 1)
        good = (values > 0) & (columns != rows + first)
        rows, columns, values = rows[good], columns[good], values[good]
        counts = np.bincount(rows, minlength=block.shape[0])
        ends = np.cumsum(counts)
        stays = np.ones(len(rows), dtype=bool)
        for row in np.flatnonzero(counts > keep):  # a row at a time: far cheaper than sorting the block
            span = slice(ends[row] - counts[row], ends[row])
            stays[span] = strongest_mask(values[span], columns[span], keep)
        columns, values = columns[stays], values[stays]
        lengths.append(np.minimum(counts, keep))
        neighbours.append(columns.astype(np.int32))
        weights.append(values.astype(np.float32))
        first += block.shape[0]
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths or [np.zeros(0, int)]))]).astype(np.int64)
    empty = [np.empty(0, dtype=np.int32)]
    return Links(
        starts,
        np.concatenate(neighbours or empty),
        np.concatenate(weights or empty).astype(np.float32),
        age_weights(power),
    )


def strongest_mask(values: np.ndarray, columns: np.ndarray, keep: int) -> np.ndarray:
    """(n,) mask of the `keep` largest values, at most, of equal ones at the border those of the lower columns."""
    if keep <= 0:
        return np.zeros(len(values), dtype=bool)
    border = np.partition(values, len(values) - keep)[len(values) - keep]
    stays = values > border
    tied = np.flatnonzero(values == border)
    stays[tied[np.argsort(columns[tied], kind="stable")[: keep - int(stays.sum())]]] = True
    return stays


def merge_links(layers: Sequence[Links], shares: Sequence[float], power: float, keep: int | None = None) -> Links:
    """One model out of several over the same items: scores are sums, so the sum of the links gives the sum of scores.

    All layers then share one decay of the history; that costs little, and an answer costs no more than that of one.
    """
    total: Any = sum(float(share) * layer.matrix() for layer, share in zip(layers, shares, strict=True) if share > 0)
    return keep_strongest([total.tocsr()], layers[0].items, power, keep)


def _list_entries(block: np.ndarray | SparseMatrix, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column and value of what a sparse or dense block holds; of a dense row only what can be among the `most`."""
    if isinstance(block, np.ndarray):
        most = min(most, block.shape[1])
        border = np.partition(block, -most, axis=1)[:, -most]
        rows, columns = np.nonzero((block >= border[:, None]) & (block > 0))
        return rows, columns, block[rows, columns]
    entries = block.tocoo()
    return entries.row.astype(np.int64), entries.col.astype(np.int64), entries.data
