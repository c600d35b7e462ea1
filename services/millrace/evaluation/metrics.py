"""HR@k, NDCG@k and MRR of one held-out item a user, with ties counted fairly.

A target that shares its score with t - 1 others, behind g better ones, gets the mean of what the ranks g + 1 ... g + t
would give: the expectation over all orders of the tied (McSherry and Najork, "Computing Information Retrieval
Performance Measures Efficiently in the Presence of Tied Scores", 2008), which scikit-learn's ndcg_score does too. A
model that gives everything the same score so gets what chance would get, and not the first or the last place.
"""

import numpy as np

METRIC_NAMES = ("hr", "ndcg", "mrr")


def rank_gains(rank: np.ndarray, k: int) -> np.ndarray:
    """(n, 3) hit, discounted gain and reciprocal of (n,) ranks from 1; MRR is not cut at k."""
    inside = rank <= k
    return np.column_stack([inside, np.where(inside, 1 / np.log2(1 + rank), 0), 1 / rank])


def user_metrics(greater: np.ndarray, tied: np.ndarray, k: int = 10) -> np.ndarray:
    """(users, 3) HR@k, NDCG@k and MRR from (users,) counts of better items and of equal ones, the target included."""
    if not len(greater):
        return np.zeros((0, 3))
    ranks = np.arange(1, int((greater + tied).max()) + 1, dtype=np.float64)
    summed = np.vstack([np.zeros(3), np.cumsum(rank_gains(ranks, k), axis=0)])
    return (summed[greater + tied] - summed[greater]) / tied[:, None]
