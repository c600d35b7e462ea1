"""The decayed mini-batch update of centres: new pages pull, old ones are forgotten by halves."""

from dataclasses import dataclass

import numpy as np

HALF_LIFE_PAGES = 100_000.0
"""New pages after which what a centre stood for before counts half."""


@dataclass(frozen=True)
class ClusterSums:
    """What an update needs of any number of pages. Sums of parts are added up.

    Per cluster how many, (k,), and the sum of their features, (k, d); and the sum of all squared distances to the
    nearest centre.
    """

    counts: np.ndarray
    totals: np.ndarray
    inertia: float

    @classmethod
    def from_pages(cls, features: np.ndarray, clusters: np.ndarray, distances: np.ndarray, k: int) -> "ClusterSums":
        """The sums of (n, d) features with their clusters and distances, both (n,)."""
        totals = np.zeros((k, features.shape[1]))
        np.add.at(totals, clusters, features.astype(np.float64))
        return cls(np.bincount(clusters, minlength=k).astype(np.float64), totals, float((distances**2).sum()))

    def __add__(self, other: "ClusterSums") -> "ClusterSums":
        return ClusterSums(self.counts + other.counts, self.totals + other.totals, self.inertia + other.inertia)


def update_centres(
    centres: np.ndarray, weights: np.ndarray, new: ClusterSums, half_life: float = HALF_LIFE_PAGES
) -> tuple[np.ndarray, np.ndarray]:
    """(centres, weights) after a batch, of the same shapes: (k, d) and (k,).

    Every page moves its centre by one over the pages that the centre stands for, which makes the centre their mean
    (Sculley, "Web-scale k-means clustering", WWW 2010, algorithm 1); before, the old weight is multiplied by
    0.5 ** (new pages / half_life), the forgetting of Spark's StreamingKMeans. A cluster without new pages stays where
    it is, and forgets as the others do.
    """
    kept = weights * 0.5 ** (new.counts.sum() / half_life)
    total = kept + new.counts
    pulled = (centres * kept[:, None] + new.totals) / np.where(total > 0, total, 1)[:, None]
    return np.where((new.counts > 0)[:, None], pulled, centres), total
