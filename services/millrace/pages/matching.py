"""Matching: which cluster of a new model is which of the old one, so that cluster 7 means the same an hour later."""

import numpy as np


def match_clusters(before: np.ndarray, after: np.ndarray, k: int, k_before: int) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, same) of the k new clusters.

    `numbers` is the number of each, (k,) int64; `same` says whether it is that old cluster's continuation, (k,) bool.
    `before` and `after` are the clusters, (n,) int64, that both models give the same pages. Of all one-to-one
    assignments the one with the most pages in common wins (Kuhn, "The Hungarian method for the assignment problem",
    1955), so the two models may live in different spaces and have different k. Where k fell, numbers from k on are
    free again; what has no partner takes the lowest free number. A continuation shares at least half of the pages of
    the smaller of the two. Needs SciPy.
    """
    from scipy.optimize import linear_sum_assignment

    common = np.bincount(before * k + after, minlength=k_before * k).reshape(k_before, k)
    old, new = linear_sum_assignment(common, maximize=True)
    sizes = np.minimum(common.sum(axis=1)[old], common.sum(axis=0)[new])
    continued = (2 * common[old, new] >= sizes) & (common[old, new] > 0) & (old < k)
    numbers = np.full(k, -1, dtype=np.int64)
    fitting = old < k
    numbers[new[fitting]] = old[fitting]
    free = sorted(set(range(k)) - set(numbers.tolist()))
    numbers[numbers < 0] = free
    same = np.zeros(k, dtype=bool)
    same[new[continued]] = True
    return numbers, same
