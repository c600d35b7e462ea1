"""Recommenders of other libraries, fitted on the same sequences and asked the same questions."""

from typing import Any

import numpy as np

from millrace.recommend.matrices import seen_matrix
from millrace.recommend.sequences import Sequences


class ImplicitKnn:
    """`implicit`: item-kNN with BM25 weights, 100 neighbours an item."""

    name = "implicit BM25"
    most = None

    def fit(self, sequences: Sequences) -> Any:
        from implicit.nearest_neighbours import BM25Recommender

        self.model = BM25Recommender(K=100, num_threads=1)
        self.model.fit(seen_matrix(sequences), show_progress=False)
        return self

    def batch(self, histories: Sequences) -> np.ndarray:
        return np.asarray((seen_matrix(histories) @ self.model.similarity).todense(), dtype=np.float32)

    def question(self, histories: Sequences, user: int) -> Any:
        return seen_matrix(histories.take(np.array([user])))

    def top(self, question: Any) -> Any:
        return self.model.recommend(0, question, N=10, filter_already_liked_items=True)


class ImplicitAls(ImplicitKnn):
    """`implicit`: ALS of 64 factors; a user's factors are solved from the history, as they must be for a new event."""

    name = "implicit ALS"

    def fit(self, sequences: Sequences) -> Any:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            from implicit.cpu.als import AlternatingLeastSquares

            self.model = AlternatingLeastSquares(factors=64, alpha=6.0, num_threads=1, random_state=1)
            self.model.fit(seen_matrix(sequences), show_progress=False)
        return self

    def batch(self, histories: Sequences) -> np.ndarray:
        users = self.model.recalculate_user(np.arange(len(histories)), seen_matrix(histories))
        return users @ self.model.item_factors.T

    def top(self, question: Any) -> Any:
        return self.model.recommend(0, question, N=10, filter_already_liked_items=True, recalculate_user=True)


class CornacEase:
    """Cornac: EASE with its own defaults, negative weights kept. Its own `rank` knows the fitted users only."""

    name = "Cornac EASE"
    most = 4_000
    """Items up to which it is asked: it holds two dense matrices of 8 bytes a cell and inverts them."""

    def fit(self, sequences: Sequences) -> Any:
        from cornac.data import Dataset
        from cornac.models import EASE

        ones = seen_matrix(sequences).tocoo()
        known = [{number: number for number in range(count)} for count in ones.shape]
        rows = (ones.row.astype(np.int64), ones.col.astype(np.int64), ones.data.astype(np.float64))
        self.model = EASE(lamb=500, posB=False, verbose=False)
        self.model.fit(Dataset(ones.shape[0], ones.shape[1], *known, rows))
        return self

    def batch(self, histories: Sequences) -> np.ndarray:
        return np.asarray(seen_matrix(histories) @ self.model.B, dtype=np.float32)

    def question(self, histories: Sequences, user: int) -> int:
        return user

    def top(self, question: int) -> Any:
        return self.model.rank(question, k=10)


PEERS = (ImplicitKnn, ImplicitAls, CornacEase)
