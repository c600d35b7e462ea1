"""A top-n answer: which items, how high, and because of what."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from millrace.recommend.sequences import Sequences

MAX_REASONS = 3  # items of the history named for each answered one


@dataclass(frozen=True)
class TopItems:
    """`items`: (n,) int64, best first, equal scores by the lower number; `scores`: (n,) float64.

    `because[k]` are the items of the history that weighed most for item k, at most REASONS, the heaviest first. The
    last `filled` items come from popularity, because the history says nothing about more: their scores are 0 and
    their reasons empty. Fewer than n items come back only where the model knows no more.
    """

    items: np.ndarray
    scores: np.ndarray
    because: list[list[int]] = field(default_factory=list)
    filled: int = 0


class Recommender(Protocol):
    """What every model does. An item is a number from 0; a history is item numbers, oldest first."""

    @property
    def algorithm(self) -> str: ...

    @property
    def popular(self) -> np.ndarray:
        """(known,) int32: the items that took part in the fit, the most popular first. No others are ever answered."""
        ...

    @property
    def items(self) -> int: ...

    def arrays(self) -> dict[str, np.ndarray]: ...

    def with_popular(self, popular: np.ndarray) -> "Recommender":
        """The same model with another order of popularity."""
        ...

    def scores(self, history: np.ndarray) -> np.ndarray:
        """(items,) scores after the history; the history's own items included."""
        ...

    def batch(self, histories: Sequences) -> np.ndarray:
        """(users, items) float32 scores: row by row what `scores` gives."""
        ...

    def top(self, history: np.ndarray, n: int, *, keep_known: bool = False, because: bool = True) -> TopItems:
        """The n best items; those of the history are left out, unless `keep_known`."""
        ...


def clean_history(history: npt.ArrayLike, items: int) -> np.ndarray:
    """A history as int64 numbers: without unknown ones and padding, and each item once, where it came last."""
    items_of_history = np.asarray(history, dtype=np.int64)
    items_of_history = items_of_history[(items_of_history >= 0) & (items_of_history < items)]
    if len(set(items_of_history.tolist())) < len(items_of_history):
        _, last = np.unique(items_of_history[::-1], return_index=True)
        items_of_history = items_of_history[np.sort(len(items_of_history) - 1 - last)]
    return items_of_history


def select_best(scores: np.ndarray, candidates: np.ndarray, n: int) -> np.ndarray:
    """The n candidates with the highest scores, best first, equal ones by the lower number.

    `scores` belong to all items, `candidates` are distinct item numbers in rising order.
    """
    if n <= 0:
        return candidates[:0]
    values = scores[candidates]
    if len(candidates) > n:
        border = np.partition(values, len(values) - n)[len(values) - n]
        good = values >= border
        candidates, values = candidates[good], values[good]
    return candidates[np.argsort(-values, kind="stable")[:n]]


def find_unseen(popular: np.ndarray, items: int) -> np.ndarray:
    """The items that no fit has seen: whatever a model computes for them is noise of its start."""
    return np.setdiff1d(np.arange(items), popular)


def rank_items(scores: np.ndarray, left_out: np.ndarray, n: int) -> np.ndarray:
    """The at most n best by (items,) scores, which are changed; what is -inf or among `left_out` is no answer."""
    scores[left_out] = -np.inf
    return select_best(scores, np.arange(len(scores)), min(n, int(np.count_nonzero(scores > -np.inf))))


def find_reasons(shares: np.ndarray, history: np.ndarray) -> list[list[int]]:
    """For each row of (n, h) shares, the at most REASONS items of the (h,) history that gave most above 0."""
    order = np.argsort(-shares, axis=1, kind="stable")[:, :MAX_REASONS]
    above = (shares > 0).sum(axis=1).tolist()
    return [line[:count] for line, count in zip(history[order].tolist(), above, strict=True)]


def fill_popular(chosen: np.ndarray, popular: np.ndarray, left_out: np.ndarray, n: int) -> np.ndarray:
    """The most popular items that bring `chosen` up to n, without those and without `left_out`."""
    missing = n - len(chosen)
    if missing <= 0:
        return popular[:0].astype(np.int64)
    taken = np.concatenate([chosen, left_out])
    candidates = popular[: missing + len(taken)]
    return candidates[~np.isin(candidates, taken)][:missing].astype(np.int64)
