"""Item-to-item links as a model: kNN, Markov, EASE, ridge, and every blend of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from millrace.recommend.links import Links, age_weights
from millrace.recommend.matrices import SparseMatrix
from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import TopItems, clean_history, fill_popular, find_reasons, select_best

ARRAY_NAMES = ("starts", "neighbours", "weights", "by_age")
MAX_DENSE_ITEMS = 4_000  # items, 64 MB: up to here whole rows of a matrix are read, if one link in eight is there


@dataclass(frozen=True)
class LinkModel:
    """Scores add up over the items of a history, so the reasons are exact: nothing else went into the score."""

    links: Links
    popular: np.ndarray
    algorithm: str = "linked"
    shared_dense: np.ndarray | None = field(default=None, repr=False)
    """The dense matrix of a model with the same links, if there is one: it is not made twice."""

    @classmethod
    def load(cls, arrays: Mapping[str, np.ndarray]) -> "LinkModel":
        model = cls(Links(*(arrays[name] for name in ARRAY_NAMES)), arrays["popular"])
        model._dense  # noqa: B018 - made now, so that the first answer does not wait for it
        return model

    @property
    def items(self) -> int:
        return self.links.items

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: getattr(self.links, name) for name in ARRAY_NAMES} | {"popular": self.popular}

    def with_popular(self, popular: np.ndarray) -> "LinkModel":
        """The same model with another order of popularity."""
        return replace(self, popular=popular, shared_dense=self._dense)

    def with_power(self, power: float) -> "LinkModel":
        """The same links, with a history's items weighed by another power of their age."""
        return replace(self, links=self.links.with_ages(age_weights(power)), shared_dense=self._dense)

    @cached_property
    def _prior(self) -> np.ndarray:
        """(items,) float32 below 0: where no link speaks, the more popular is better, as a filled answer has it."""
        prior = np.full(self.items, -np.inf, dtype=np.float32)
        prior[self.popular] = -(np.arange(len(self.popular)) + 1.0) / max(self.items, 1)
        return prior

    @cached_property
    def _dense(self) -> np.ndarray | None:
        """(items, items) float32 of the links, where reading whole rows costs less than putting links together."""
        if self.shared_dense is not None:
            return self.shared_dense
        links = self.links
        if self.items > MAX_DENSE_ITEMS or len(links.neighbours) * 8 <= self.items**2:
            return None
        dense = np.zeros((self.items, self.items), dtype=np.float32)
        dense[np.repeat(np.arange(self.items), np.diff(links.starts)), links.neighbours] = links.weights
        return dense

    @cached_property
    def _matrix(self) -> np.ndarray | SparseMatrix:
        """The links for `batch`: dense where one in eight is there, which is then several times as fast."""
        if self._dense is not None:
            return self._dense
        matrix = self.links.matrix()
        return matrix.toarray() if matrix.nnz > self.items**2 / 8 else matrix

    def _links_of(self, recent: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Target and weight of every link of the newest items, newest first, and the number of links of each."""
        links = self.links
        # Rows one after the other: they are long and few, so this beats one indexed read of all of them.
        rows = [self._row(item) for item in recent.tolist()]
        if not rows:
            return links.neighbours[:0], links.weights[:0], links.starts[:0]
        lengths = np.array([len(targets) for targets, _ in rows])
        targets = np.concatenate([targets for targets, _ in rows])
        weights = np.concatenate([weights for _, weights in rows])
        return targets, weights * np.repeat(links.by_age[: len(rows)], lengths), lengths

    def _row(self, item: int) -> tuple[np.ndarray, np.ndarray]:
        """Targets and weights of an item's links."""
        span = slice(self.links.starts[item], self.links.starts[item + 1])
        return self.links.neighbours[span], self.links.weights[span]

    def _rows(self, recent: np.ndarray) -> np.ndarray:
        """(recent, items) float32 of the dense matrix."""
        assert self._dense is not None
        return self._dense[recent]

    def _recent(self, history: np.ndarray) -> np.ndarray:
        return history[: -len(self.links.by_age) - 1 : -1]

    def scores(self, history: np.ndarray) -> np.ndarray:
        scores, _, _ = self._score(self._recent(clean_history(history, self.items)))
        return np.where(scores > 0, scores, self._prior)

    def _score(
        self, recent: np.ndarray
    ) -> tuple[np.ndarray, Callable[[int], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
        """(items,) float64 scores; rising numbers of items above 0 that hold the n best; shares of chosen items.

        The last gives, for (n,) items, the (n, recent) shares that the score of each has.
        """
        if self._dense is not None:
            rows, ages = self._rows(recent), self.links.by_age[: len(recent)]
            scores = (ages @ rows).astype(np.float64)
            return scores, lambda _: np.flatnonzero(scores > 0), lambda chosen: rows[:, chosen].T * ages
        targets, values, lengths = self._links_of(recent)
        scores = np.bincount(targets, values, minlength=self.items)
        return (
            scores,
            lambda n: _select_targets(scores, targets, n * len(recent)),
            lambda chosen: self._shares(chosen, targets, values, lengths),
        )

    def batch(self, histories: Sequences) -> np.ndarray:
        from scipy import sparse

        recent = histories.where(histories.ages < len(self.links.by_age))
        ages = self.links.by_age[recent.ages]
        weights = sparse.csr_matrix((ages, recent.items, recent.starts), shape=(len(recent), self.items))
        scores = weights @ self._matrix
        scores = scores if isinstance(scores, np.ndarray) else scores.toarray()
        return np.where(scores > 0, scores, self._prior)

    def top(self, history: np.ndarray, n: int, *, keep_known: bool = False, because: bool = True) -> TopItems:
        known = clean_history(history, self.items)
        recent = self._recent(known)
        scores, candidates, shares = self._score(recent)
        left_out = known[:0] if keep_known else known
        scores[left_out] = 0
        chosen = select_best(scores, candidates(n), n)
        answered = scores[chosen]
        reasons = find_reasons(shares(chosen), recent) if because and len(chosen) else []
        more = fill_popular(chosen, self.popular, left_out, n)
        if not len(more):
            return TopItems(chosen, answered, reasons)
        answered = np.concatenate([answered, np.zeros(len(more))])
        return TopItems(np.concatenate([chosen, more]), answered, reasons + [[] for _ in more if because], len(more))

    def _shares(self, chosen: np.ndarray, targets: np.ndarray, values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        rank_of_item = np.zeros(self.items, dtype=np.int8 if len(chosen) < 127 else np.int64)
        rank_of_item[chosen] = np.arange(1, len(chosen) + 1)
        places = rank_of_item[targets]
        hits = np.flatnonzero(places)
        rows = np.searchsorted(np.cumsum(lengths), hits, side="right")
        cells = (places[hits].astype(np.int64) - 1) * len(lengths) + rows
        shares = np.bincount(cells, values[hits], minlength=len(chosen) * len(lengths))
        return shares.reshape(len(chosen), -1)


def _select_targets(scores: np.ndarray, targets: np.ndarray, most: int) -> np.ndarray:
    """Rising numbers of the targets above 0 among which the best are, if `most` targets name each of them once."""
    if len(targets) * 8 > len(scores):
        return np.flatnonzero(scores > 0)
    values = scores[targets]
    good = values > 0
    if 0 < most < len(values):
        good &= values >= np.partition(values, len(values) - most)[len(values) - most]
    return np.unique(targets[good])
