"""What most users took, lately: the answer for those without a history, and the measure of all other models."""

from dataclasses import dataclass, replace

import numpy as np

from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import TopItems, clean_history, select_best


def count_items(
    sequences: Sequences, window: float | None = None, now: float | None = None, gains: np.ndarray | None = None
) -> np.ndarray:
    """(items,) float32: interactions of the last `window` seconds before `now`, the newest one where left out.

    Without a window, or where the sequences have no times, all of them count; each its gain of (n,), or 1.
    """
    items = sequences.items
    if window is not None and sequences.times is not None and len(items):
        now = float(np.nanmax(sequences.times)) if now is None else now
        inside = (sequences.times > now - window) & (sequences.times <= now)
        items, gains = items[inside], gains if gains is None else gains[inside]
    return np.bincount(items, gains, minlength=sequences.item_count).astype(np.float32)


def rank_popular(sequences: Sequences, window: float | None = None) -> np.ndarray:
    """`rank_windowed` of what is counted here."""
    return rank_windowed(count_items(sequences, window), count_items(sequences))


def rank_windowed(lately: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """(known,) int32: items by the window's (items,) counts, then by those of all time, then by number.

    Every item that was ever counted has its rank.
    """
    ranking = np.lexsort((-whole, -lately))
    return ranking[: int(np.count_nonzero(whole))].astype(np.int32)


@dataclass(frozen=True)
class PopularityModel:
    """`counts`: (items,) float32; `popular`: (known,) int32. The same for everybody, but for what one has already."""

    counts: np.ndarray
    popular: np.ndarray
    algorithm: str = "popularity"

    @classmethod
    def fit(
        cls, sequences: Sequences, window: float | None = None, gains: np.ndarray | None = None
    ) -> "PopularityModel":
        """Of the last `window` seconds, see `count_items`; the rest of the items come after those of the window."""
        counts = count_items(sequences, window, gains=gains)
        return cls(counts, rank_windowed(counts, count_items(sequences, gains=gains)))

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
