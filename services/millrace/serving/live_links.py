"""A linked model whose rows grow: what was added to the transitions since its snapshot is in every answer.

A row is computed anew when it is asked for and has changed, by the formulas of the training: the layers' links by their
shares, of which that of millrace.recommend.markov has the new counts. Rows that were not touched stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from millrace.recommend.link_model import LinkModel
from millrace.recommend.links import links_per_item, strongest_mask
from millrace.recommend.live_arrays import COUNT_ARRAYS, STATIC_ARRAYS, LiveParameters, csr_row
from millrace.serving.overlays import Overlay


@dataclass(frozen=True)
class LiveRows:
    """The rows of the links, as they are with what was added."""

    arrays: Mapping[str, np.ndarray]
    live: LiveParameters
    items: int
    overlay: Overlay
    lock: Lock = field(default_factory=Lock)
    done: dict[int, int] = field(default_factory=dict)
    """Row -> the change up to which it was computed."""
    made: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """Row -> targets and weights, where the model has no dense matrix to keep them in."""

    def is_stale(self, item: int) -> bool:
        return self.overlay.changes.get(item, 0) != self.done.get(item, 0)

    def compute(self, item: int) -> np.ndarray:
        """(items,) float32 links of a row."""
        change, added = self.overlay.row(item)
        columns, units = csr_row(self.arrays, COUNT_ARRAYS, item)
        total = np.zeros(self.items, dtype=np.int64)
        total[columns] = units
        total[list(added)] += np.fromiter(added.values(), np.int64, len(added))
        counts = total / self.live.scale
        worth = (counts / max(float(counts.sum()), 1e-30) ** self.live.norm).astype(np.float32)
        worth[item] = 0
        weights_of_row = self._strongest(worth) * np.float32(self.live.share or 0)
        columns, weights = csr_row(self.arrays, STATIC_ARRAYS, item)
        if len(columns):
            weights_of_row[columns] += weights
            weights_of_row = self._strongest(weights_of_row)
        self.done[item] = change
        return weights_of_row

    def _strongest(self, values: np.ndarray) -> np.ndarray:
        """The values without all but the strongest, as many as an item may have."""
        filled = np.flatnonzero(values > 0)
        keep = links_per_item(self.items)
        if len(filled) > keep:
            values[filled[~strongest_mask(values[filled], filled, keep)]] = 0
        return values


@dataclass(frozen=True)
class LiveLinks(LinkModel):
    """As LinkModel, with rows that grow."""

    rows: LiveRows = field(kw_only=True)

    @classmethod
    def from_links(cls, model: LinkModel, rows: LiveRows) -> "LiveLinks":
        # The matrix is this process's own; it is handed over, and changed rows are written into it.
        return cls(model.links, model.popular, model.algorithm, model._dense, rows=rows)

    def _rows(self, recent: np.ndarray) -> np.ndarray:
        assert self._dense is not None
        rows = self.rows
        stale = [item for item in recent.tolist() if rows.is_stale(item)]
        if not stale:
            return self._dense[recent]
        with rows.lock:
            for item in stale:
                self._dense[item] = rows.compute(item)
            return self._dense[recent]

    def _row(self, item: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rows
        if rows.is_stale(item):
            with rows.lock:
                values = rows.compute(item)
                targets = np.flatnonzero(values).astype(np.int32)
                rows.made[item] = targets, values[targets]
        return rows.made[item] if item in rows.made else super()._row(item)
