"""Drift: how far the pages of now have moved from those that a model was made of."""

import numpy as np

MIN_SHARE = 1e-4
"""The share that an empty cluster is given, so that its logarithm exists."""


def population_stability_index(before: np.ndarray, now: np.ndarray) -> float:
    """Population stability index of two (k,) distributions over the same clusters, given as counts or shares.

    It is the sum of (now - before) * ln(now / before) (Siddiqi, "Credit Risk Scorecards", 2006, chapter 9): 0 for
    the same shares; by the customary rule of thumb a shift from 0.1, a large one from 0.25.
    """
    first, second = (_to_shares(one) for one in (before, now))
    return float(((second - first) * np.log(second / first)).sum())


def _to_shares(counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum()
    shares = np.maximum(counts / total if total > 0 else np.full(len(counts), 1 / len(counts)), MIN_SHARE)
    return shares / shares.sum()


def inertia_ratio(distances: np.ndarray, reference: float) -> float:
    """Mean squared distance of (n,) distances to the nearest centre, over that of the pages the model was fitted on.

    1 where the centres fit as well as then; what grows above it is pages that the centres do not describe. 0.0 for
    no pages.
    """
    if not len(distances) or reference <= 0:
        return 0.0
    return float((np.asarray(distances, dtype=np.float64) ** 2).mean() / reference)


def centre_shift(before: np.ndarray, after: np.ndarray) -> float:
    """Mean way of matched (k, d) centres, over the mean distance between two centres of before.

    0 where none moved; 1 would be centres that went as far as to each other's places.
    """
    ways = np.sqrt(((after - before) ** 2).sum(axis=1)).mean()
    between = np.sqrt(((before[:, None, :] - before[None, :, :]) ** 2).sum(axis=2))
    k = len(before)
    typical = between.sum() / (k * (k - 1)) if k > 1 else 0.0
    return float(ways / typical) if typical > 0 else 0.0
