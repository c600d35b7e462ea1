"""What most users took, lately: the answer for those without a history, and the measure of all other models."""

from dataclasses import dataclass, replace

import numpy as np

from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import TopItems, clean_history, select_best


def count_items(sequences: Sequences, window: float | None = None, now: float | None = None) -> np.ndarray:
    """(items,) float32: interactions of the last `window` seconds before `now`, the newest one where left out.

    Without a window, or where the sequences have no times, all of them count.
    """
    items = sequences.items
    if window is not None and sequences.times is not None and len(items):
        now = float(sequences.times.max()) if now is None else now
        items = items[(sequences.times > now - window) & (sequences.times <= now)]
    return np.bincount(items, minlength=sequences.item_count).astype(np.float32)


def rank_counts(numbers: np.ndarray) -> np.ndarray:
    """(known,) int32: items with a count above 0, the highest first, equal ones by the lower number."""
    ranking = np.argsort(-numbers, kind="stable")
    return ranking[: int(np.count_nonzero(numbers))].astype(np.int32)


def rank_popular(sequences: Sequences, window: float | None = None) -> np.ndarray:
    """`order` by the window's counts, then by those of all time, so that every item that was seen has a place."""
    whole, lately = count_items(sequences), count_items(sequences, window)
    ranking = np.lexsort((-whole, -lately))
    return ranking[: int(np.count_nonzero(whole))].astype(np.int32)


@dataclass(frozen=True)
class PopularityModel:
    """`counts`: (items,) float32; `popular`: (known,) int32. The same for everybody, but for what one has already."""

    counts: np.ndarray
    popular: np.ndarray
    algorithm: str = "popularity"

    @classmethod
    def fit(cls, sequences: Sequences, window: float | None = None) -> "PopularityModel":
        return cls(count_items(sequences, window), rank_popular(sequences, window))

    @property
    def items(self) -> int:
        return len(self.counts)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"counts": self.counts, "popular": self.popular}

    def with_popular(self, popular: np.ndarray) -> "PopularityModel":
        """The same model with another order of popularity."""
        return replace(self, popular=popular)

    def scores(self, history: np.ndarray) -> np.ndarray:
        return self.counts

    def batch(self, histories: Sequences) -> np.ndarray:
        return np.tile(self.counts, (len(histories), 1))

    def top(self, history: np.ndarray, n: int, *, keep_known: bool = False, because: bool = True) -> TopItems:
        known = clean_history(history, self.items)
        candidates = self.popular[: n + len(known)]
        if not keep_known:
            candidates = candidates[~np.isin(candidates, known)]
        chosen = select_best(self.counts, np.sort(candidates[:n]).astype(np.int64), n)
        return TopItems(chosen, self.counts[chosen].astype(np.float64), [[] for _ in chosen] if because else [])
