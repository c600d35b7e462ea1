"""The silhouette in n * k steps against the definition in n * n steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.scoring.silhouette import mean_silhouette


def naive(points: np.ndarray, labels: np.ndarray) -> float:
    """Rousseeuw's definition with squared distances; a point alone in its cluster scores 0."""
    if len(set(labels.tolist())) < 2:
        return 0.0
    scores = []
    for i in range(len(points)):
        means = {}
        for label in set(labels.tolist()):
            others = [j for j in range(len(points)) if labels[j] == label and j != i]
            if others:
                means[label] = sum(((points[i] - points[j]) ** 2).sum() for j in others) / len(others)
        own = means.pop(labels[i], None)
        other = min(means.values())
        scores.append(0.0 if own is None or max(own, other) == 0 else (other - own) / max(own, other))
    return sum(scores) / len(scores)


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_mean_silhouette_matches_definition(n, d, k, seed):
    random = np.random.default_rng(seed)
    points, labels = random.normal(size=(n, d)), random.integers(0, k, size=n)
    assert mean_silhouette(points, labels) == pytest.approx(naive(points, labels), abs=1e-9)


@given(st.integers(2, 20), st.integers(0, 2**32 - 1))
def test_silhouette_of_repeated_points_matches_definition(n, seed):
    random = np.random.default_rng(seed)
    points, labels = random.integers(0, 2, size=(n, 2)).astype(float), random.integers(0, 3, size=n)
    assert mean_silhouette(points, labels) == pytest.approx(naive(points, labels), abs=1e-9)


@given(st.integers(2, 20), st.integers(0, 2**32 - 1))
def test_score_is_unchanged_for_points_far_from_zero(n, seed):
    random = np.random.default_rng(seed)
    points, labels = random.normal(size=(n, 2)), random.integers(0, 2, size=n)
    assert mean_silhouette(points + 1e6, labels) == pytest.approx(mean_silhouette(points, labels), abs=1e-5)


def test_single_cluster_scores_zero():
    assert mean_silhouette(np.arange(6.0).reshape(3, 2), np.array([4, 4, 4])) == 0.0


def test_singleton_clusters_score_zero():
    assert mean_silhouette(np.arange(6.0).reshape(3, 2), np.array([0, 1, 2])) == 0.0


def test_singleton_counts_as_zero_in_mean():
    points, labels = np.array([[0.0], [0.0], [5.0]]), np.array([0, 0, 1])
    assert mean_silhouette(points, labels) == pytest.approx(2 / 3)


def test_labels_need_not_be_consecutive():
    points = np.array([[0.0], [1.0], [9.0], [10.0]])
    assert mean_silhouette(points, np.array([7, 7, -2, -2])) == mean_silhouette(points, np.array([0, 0, 1, 1])) > 0.9


def test_identical_points_score_zero():
    assert mean_silhouette(np.ones((4, 2)), np.array([0, 0, 1, 1])) == 0.0
