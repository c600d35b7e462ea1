"""Implicit alternating least squares: Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback" (2008).

Only the item factors are kept. A user's factors are solved from the history at the time of the question, so that a
user needs no training and no memory; the same solution splits a score exactly into what each item of the history
gave (their section 5), which is `because`.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from millrace.errors import BadInputError
from millrace.recommend.links import age_weights
from millrace.recommend.matrices import weighted_matrix
from millrace.recommend.popularity import rank_popular
from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import TopItems, clean_history, find_reasons, find_unseen, rank_items


@dataclass(frozen=True)
class AlsModel:
    """`factors`: (items, f) float32; `gram`: (f, f) float64, the factors' products and the penalty on the diagonal.

    `by_age`: (depth,) float32, confidence of a history's items above that of the rest, newest first. A dense product
    with all items answers: 4 * f bytes an item are read for each question.
    """

    factors: np.ndarray
    gram: np.ndarray
    by_age: np.ndarray
    popular: np.ndarray
    algorithm: str = "als"

    @property
    def items(self) -> int:
        return len(self.factors)

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in ("factors", "gram", "by_age", "popular")}

    def with_popular(self, popular: np.ndarray) -> "AlsModel":
        """The same model with another order of popularity."""
        return replace(self, popular=popular)

    def with_power(self, power: float) -> "AlsModel":
        """The same factors, with a history's items weighed by another power of their age."""
        return replace(self, by_age=age_weights(power) * self.by_age[0])

    @cached_property
    def _unknown(self) -> np.ndarray:
        return find_unseen(self.popular, self.items)

    def _solve(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(recent, f): what each of the newest items adds to the user's factors; and those items."""
        recent = history[: -len(self.by_age) - 1 : -1]
        own = self.factors[recent].astype(np.float64)
        above = self.by_age[: len(recent), None].astype(np.float64)
        system = self.gram + own.T @ (above * own)
        return np.linalg.solve(system, ((1 + above) * own).T).T, recent

    def _score(self, user: np.ndarray) -> np.ndarray:
        scores = self.factors @ user.astype(np.float32)
        scores[self._unknown] = -np.inf
        return scores

    def scores(self, history: np.ndarray) -> np.ndarray:
        return self._score(self._solve(clean_history(history, self.items))[0].sum(axis=0))

    def batch(self, histories: Sequences) -> np.ndarray:
        users = [self._solve(histories[user].astype(np.int64))[0].sum(axis=0) for user in range(len(histories))]
        scores = np.array(users, dtype=np.float32).reshape(-1, self.factors.shape[1]) @ self.factors.T
        scores[:, self._unknown] = -np.inf
        return scores

    def top(self, history: np.ndarray, n: int, *, keep_known: bool = False, because: bool = True) -> TopItems:
        known = clean_history(history, self.items)
        parts, recent = self._solve(known)
        scores = self._score(parts.sum(axis=0))
        chosen = rank_items(scores, known[:0] if keep_known else known, n)
        reasons = find_reasons(self.factors[chosen] @ parts.T, recent) if because else []
        return TopItems(chosen, scores[chosen].astype(np.float64), reasons)


def fit_als(
    sequences: Sequences,
    *,
    factors: int = 64,
    penalty: float = 0.01,
    alpha: float = 5.0,
    power: float = 0.5,
    iterations: int = 15,
    seed: int = 20261121,
    gains: np.ndarray | None = None,
) -> AlsModel:
    """Fitted by the library `implicit`; a user's interactions with one item add up their (n,) gains, 1 each by default.

    Raises BadInputError where it is not installed. The same seed, the same factors.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError:
        raise BadInputError(
            "als needs the library implicit: pip install 'millrace[recommend]'.", field="model"
        ) from None
    from threadpoolctl import threadpool_limits

    ones = np.ones(len(sequences.items), dtype=np.float32)
    confidence = weighted_matrix(sequences, ones if gains is None else gains)
    confidence.data = 1 + np.float32(alpha) * confidence.data
    # Its own threads and those of BLAS would wait for each other; and one thread adds in the same order every time.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=penalty,
            alpha=1.0,
            iterations=iterations,
            num_threads=1,
            random_state=seed,
            use_cg=True,
        )
        model.fit(confidence, show_progress=False)
    item_factors = np.ascontiguousarray(model.item_factors, dtype=np.float32)
    exact = item_factors.astype(np.float64)
    gram = exact.T @ exact + penalty * np.eye(factors)
    return AlsModel(item_factors, gram, age_weights(power) * np.float32(alpha), rank_popular(sequences))
