"""Clusterings of a stream of feature vectors, a window at a time, each as its library has it."""

from typing import Any

import numpy as np

from millrace.pages.matching import match_clusters
from millrace.pages.update import ClusterSums, update_centres
from millrace.scoring.kmeans import KMeans


class Ours:
    """Lloyd's algorithm on the first window (Spark's in a training, scikit-learn's here), the decayed update on each
    later one, matched to the version before."""

    name = "Millrace"
    centres: np.ndarray | None = None

    def __init__(self, k: int, seed: int):
        self.k, self.seed = k, seed

    def fitted(self, window: np.ndarray) -> np.ndarray:
        from sklearn.cluster import KMeans as Lloyd

        return Lloyd(self.k, n_init=3, random_state=self.seed).fit(window).cluster_centers_.astype(np.float64)

    def learn(self, window: np.ndarray) -> None:
        if self.centres is None:
            self.centres = self.fitted(window)
            self.weights = np.bincount(self.predict(window), minlength=self.k).astype(np.float64)
            return
        scorer = self._scorer()
        new = ClusterSums.from_pages(window, *scorer.assign(window), self.k)
        self.renumbered(window, *update_centres(self.centres, self.weights, new))

    def renumbered(self, window: np.ndarray, centres: np.ndarray, weights: np.ndarray) -> None:
        before = self.predict(window)
        self.centres, self.weights = centres, weights
        order = np.argsort(match_clusters(before, self.predict(window), self.k, self.k)[0])
        self.centres, self.weights = centres[order], weights[order]

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self._scorer().assign(rows)[0]

    def _scorer(self) -> KMeans:
        width = self.centres.shape[1]
        return KMeans(np.zeros(width), np.ones(width), self.centres)


class Refit(Ours):
    """Every window fitted anew, and matched."""

    name = "Millrace, refit"

    def learn(self, window: np.ndarray) -> None:
        if self.centres is None:
            return super().learn(window)
        return self.renumbered(window, self.fitted(window), np.ones(self.k))


class MiniBatch:
    """scikit-learn's MiniBatchKMeans, a window as its batches."""

    name = "scikit-learn MiniBatchKMeans, partial_fit"

    def __init__(self, k: int, seed: int):
        from sklearn.cluster import MiniBatchKMeans

        self.make = lambda: MiniBatchKMeans(k, n_init=3, random_state=seed)
        self.model, self.seed = self.make(), seed

    def learn(self, window: np.ndarray) -> None:
        for start in range(0, len(window), 1024):
            if len(window) - start > 64:
                self.model.partial_fit(window[start : start + 1024])

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict(rows)


class MiniBatchAnew(MiniBatch):
    """The same, fitted anew on every window, which is what the prototype did."""

    name = "scikit-learn MiniBatchKMeans, fit"

    def learn(self, window: np.ndarray) -> None:
        self.seed += 1
        self.model = self.make().set_params(random_state=self.seed).fit(window)


class River:
    """A clustering of river, which learns a page at a time."""

    name = ""
    model: Any

    def learn(self, window: np.ndarray) -> None:
        for row in window:
            self.model.learn_one(dict(enumerate(row.tolist())))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return np.array([self.model.predict_one(dict(enumerate(row.tolist()))) for row in rows])


class CluStream(River):
    name = "river CluStream"

    def __init__(self, k: int, seed: int):
        from river.cluster import CluStream as Model

        self.model = Model(n_macro_clusters=k, max_micro_clusters=100, time_window=500, seed=seed, **START)


class DbStream(River):
    name = "river DBSTREAM"

    def __init__(self, k: int, seed: int):
        from river.cluster import DBSTREAM as Model

        self.model = Model(
            clustering_threshold=RADIUS, fading_factor=0.001, cleanup_interval=500, intersection_factor=0.1
        )


RADIUS = 0.8
"""Of 0.3, 0.4, ... 0.8 and 1.0 the one with the best silhouette on generated pages; on real ones all are alike."""
START = {"sigma": 0.1, "halflife": 0.4}
"""Centres that begin as far apart as river's own defaults have them end as one: a page has a variance of 1 in all."""
ALL = (Ours, Refit, MiniBatch, MiniBatchAnew, CluStream, DbStream)
