"""Silhouette with squared Euclidean distances, as Spark's ClusteringEvaluator computes it.

For a point i in cluster A, with a(i) its mean squared distance to A's other points and b(i) the smallest mean
squared distance to another cluster: s(i) = (b - a) / max(a, b) (Rousseeuw 1987). Squared distances let each mean be
computed from a cluster's size, sum and sum of squares, so the cost is n * k * d instead of n * n.
"""

import numpy as np


def mean_silhouette(points: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette, -1 to 1, of (n, d) points with (n,) labels; 0.0 when there are fewer than two clusters."""
    present, labels = np.unique(labels, return_inverse=True)
    k = len(present)
    if k < 2:
        return 0.0
    points = points - points.mean(axis=0)  # far from zero the sums below would lose the digits that matter
    size = np.bincount(labels, minlength=k).astype(np.float64)
    total = np.zeros((k, points.shape[1]))
    np.add.at(total, labels, points)
    norm = (points**2).sum(axis=1)
    squares = np.bincount(labels, weights=norm, minlength=k)
    # Sum over the points y of a cluster of |x - y|^2 = n|x|^2 + sum|y|^2 - 2 x.sum(y)
    sums = np.maximum(norm[:, None] * size + squares - 2 * points @ total.T, 0)
    own = np.arange(len(points)), labels
    inside = sums[own] / np.maximum(size[labels] - 1, 1)
    means = sums / size
    means[own] = np.inf
    outside = means.min(axis=1)
    largest = np.maximum(inside, outside)
    scores = np.divide(outside - inside, largest, out=np.zeros(len(points)), where=largest > 0)
    scores[size[labels] == 1] = 0
    return float(scores.mean())
