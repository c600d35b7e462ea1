"""Nearest centres against a naive loop, and the order of clusters."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.scoring import kmeans
from millrace.scoring.kmeans import KMeans, order_centres

SIZES = st.tuples(st.integers(0, 40), st.integers(1, 5), st.integers(1, 8), st.integers(0, 2**32 - 1))


def made(n: int, d: int, k: int, seed: int) -> tuple[KMeans, np.ndarray]:
    random = np.random.default_rng(seed)
    model = KMeans(random.normal(size=d), random.uniform(0.1, 9, size=d), random.normal(size=(k, d)))
    return model, random.normal(0, 5, size=(n, d))


def naive(model: KMeans, values: np.ndarray) -> list[tuple[int, float]]:
    results = []
    for row in values.tolist():
        standard = [(x - m) / s for x, m, s in zip(row, model.mean.tolist(), model.scale.tolist(), strict=True)]
        distances = [math.dist(standard, centre) for centre in model.centres.tolist()]
        results.append((distances.index(min(distances)), min(distances)))
    return results


def by_expansion(model: KMeans, values: np.ndarray) -> np.ndarray:
    """A second implementation: |x - c|^2 = |x|^2 - 2 x.c + |c|^2, of which |x|^2 is the same for all centres."""
    rows = model.standardise(values)
    return ((model.centres**2).sum(axis=1) - 2 * rows @ model.centres.T).argmin(axis=1)


@given(SIZES)
def test_assigned_numbers_and_distances_match_naive_loop(sizes):
    model, values = made(*sizes)
    numbers, distances = model.assign(values)
    expected = naive(model, values)
    assert numbers.tolist() == [number for number, _ in expected]
    assert distances == pytest.approx([distance for _, distance in expected])


@given(SIZES)
def test_assigned_numbers_match_second_implementation(sizes):
    model, values = made(*sizes)
    assert model.assign(values)[0].tolist() == by_expansion(model, values).tolist()


@given(SIZES)
def test_row_gets_same_assignment_alone_and_among_others(sizes):
    model, values = made(*sizes)
    numbers, distances = model.assign(values)
    for number in range(len(values)):
        alone = model.assign(values[number : number + 1])
        assert (alone[0][0], alone[1][0]) == (numbers[number], distances[number])


@pytest.mark.parametrize("n", [0, 1, kmeans.BLOCK_ROWS - 1, kmeans.BLOCK_ROWS, kmeans.BLOCK_ROWS + 1])
def test_block_boundaries_do_not_affect_assignment(n):
    model, values = made(n, 3, 4, 7)
    numbers, distances = model.assign(values)
    assert numbers.dtype == np.int64
    assert distances.dtype == np.float64
    assert numbers.tolist() == by_expansion(model, values).tolist()


def test_lowest_number_wins_among_equally_near_centres():
    model = KMeans(np.zeros(1), np.ones(1), np.array([[2.0], [-1.0], [1.0]]))
    assert model.assign(np.zeros((1, 1)))[0].tolist() == [1]


def test_arrays_restore_same_model():
    model, values = made(9, 2, 3, 1)
    again = KMeans(**model.arrays())
    assert np.array_equal(again.assign(values)[1], model.assign(values)[1])


@given(SIZES)
def test_centres_are_ordered_along_axis_whatever_their_original_order(sizes):
    _, d, k, seed = sizes
    random = np.random.default_rng(seed)
    centres, weights = random.integers(-2, 3, size=(k, d)).astype(float), random.integers(-1, 2, size=d).astype(float)
    ordered = centres[order_centres(centres, weights)]
    assert np.all(np.diff(ordered @ weights) >= 0)
    shuffled = centres[random.permutation(k)]
    assert np.array_equal(shuffled[order_centres(shuffled, weights)], ordered)


def test_ties_are_broken_by_first_then_next_coordinate():
    centres = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert order_centres(centres, np.zeros(2)).tolist() == [2, 1, 0]
