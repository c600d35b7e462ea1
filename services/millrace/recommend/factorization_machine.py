"""A factorization machine as arrays: Rendle, "Factorization Machines" (2010), with weights for the order of a history.

Trained by millrace.neural. Of its products of pairs only those of the history with the item that is asked for differ
between items, so only these are kept. They add up over the history: the reasons of an answer are exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import TopItems, clean_history, find_reasons, find_unseen, rank_items

ARRAY_NAMES = ("factors", "before", "bias", "by_age")


@dataclass(frozen=True)
class MachineModel:
    """`factors` (items, d) of what is asked for, `before` (items, d) of what was taken, `bias` (items,), all float32.

    `by_age`: (depth,) float32 weights of a history's items, newest first.
    """

    weights: Mapping[str, np.ndarray]
    popular: np.ndarray
    algorithm: str = "machine"

    @property
    def items(self) -> int:
        return len(self.weights["factors"])

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: self.weights[name] for name in ARRAY_NAMES} | {"popular": self.popular}

    def with_popular(self, popular: np.ndarray) -> "MachineModel":
        """The same model with another order of popularity."""
        return replace(self, popular=popular)

    @cached_property
    def _unknown(self) -> np.ndarray:
        return find_unseen(self.popular, self.items)

    def _contributions(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(recent, d): what each of the newest items says; and those items, newest first."""
        recent = history[: -len(self.weights["by_age"]) - 1 : -1]
        return self.weights["before"][recent] * self.weights["by_age"][: len(recent), None], recent

    def _score(self, states: np.ndarray) -> np.ndarray:
        scores = states @ self.weights["factors"].T + self.weights["bias"]
        scores[..., self._unknown] = -np.inf
        return scores

    def scores(self, history: np.ndarray) -> np.ndarray:
        return self._score(self._contributions(clean_history(history, self.items))[0].sum(axis=0))

    def batch(self, histories: Sequences) -> np.ndarray:
        states = [
            self._contributions(histories[user].astype(np.int64))[0].sum(axis=0) for user in range(len(histories))
        ]
        return self._score(np.array(states, dtype=np.float32).reshape(len(states), -1))

    def top(self, history: np.ndarray, n: int, *, keep_known: bool = False, because: bool = True) -> TopItems:
        known = clean_history(history, self.items)
        parts, recent = self._contributions(known)
        scores = self._score(parts.sum(axis=0))
        chosen = rank_items(scores, known[:0] if keep_known else known, n)
        reasons = find_reasons(self.weights["factors"][chosen] @ parts.T, recent) if because else []
        return TopItems(chosen, scores[chosen].astype(np.float64), reasons)
