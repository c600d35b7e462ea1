"""From one version to the next: matching, the decayed update, drift, and names that stay."""

import numpy as np
import pytest

from millrace.pages import drift
from millrace.pages.matching import match_clusters
from millrace.pages.profile import describe_clusters, name_clusters
from millrace.pages.update import ClusterSums, update_centres
from tests.pages.made import by_theme, table


@pytest.mark.parametrize("seed", range(5))
def test_permuted_clusters_are_matched_back(seed):
    random = np.random.default_rng(seed)
    before = random.integers(0, 8, 2000)
    permutation = random.permutation(8)
    after = np.where(random.random(2000) < 0.2, random.integers(0, 8, 2000), permutation[before])
    numbers, same = match_clusters(before, after, 8, 8)
    assert (numbers[permutation] == np.arange(8)).all()
    assert same.all()


def test_matching_maximizes_number_of_shared_pages():
    # Taking the largest overlap first (0 with 0: 5 pages) would leave 1 with 1: none; crosswise it is 4 + 4.
    before = np.repeat([0, 0, 1], [5, 4, 4])
    after = np.repeat([0, 1, 0], [5, 4, 4])
    numbers, same = match_clusters(before, after, 2, 2)
    assert numbers.tolist() == [1, 0]
    assert same.tolist() == [True, True]


def test_changed_k_keeps_numbers_of_matches_and_gives_free_ones_to_rest():
    before = np.repeat([0, 1, 2], 10)
    numbers, same = match_clusters(before, np.repeat([2, 0, 1, 3], [10, 5, 5, 10]), 4, 3)
    assert numbers[2] == 0
    assert numbers[3] == 2
    assert set(numbers.tolist()) == {0, 1, 2, 3}
    assert same[numbers == 3].tolist() == [False]
    numbers, same = match_clusters(before, np.repeat([1, 0, 0], 10), 2, 3)
    assert (numbers[1], sorted(numbers.tolist()), same[1]) == (0, [0, 1], True)


def test_cluster_without_shared_pages_continues_no_other():
    numbers, same = match_clusters(np.array([0, 0, 0]), np.array([1, 1, 1]), 2, 2)
    assert (numbers.tolist(), same.tolist()) == ([1, 0], [False, True])


def test_update_is_weighted_mean_of_kept_and_new_pages():
    centres, weights = np.array([[0.0, 0.0], [4.0, 4.0], [9.0, 9.0]]), np.array([8.0, 2.0, 6.0])
    features = np.array([[1.0, 1.0], [3.0, 1.0], [4.0, 0.0], [4.0, 2.0]], dtype=np.float32)
    new = ClusterSums.from_pages(features, np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 3.0, 0.0]), 3)
    # Four new pages at a half-life of four: the old weights are 4, 1 and 3.
    result, kept = update_centres(centres, weights, new, half_life=4)
    assert result.tolist() == [[4 / 6, 2 / 6], [12 / 3, 6 / 3], [9, 9]]
    assert kept.tolist() == [6, 3, 3]
    assert new.inertia == 14


def test_partial_sums_add_up_and_update_without_pages_moves_nothing():
    random = np.random.default_rng(1)
    rows = random.normal(size=(100, 3)), random.integers(0, 4, 100), random.random(100)
    whole = ClusterSums.from_pages(*rows, 4)
    parts = ClusterSums.from_pages(*(one[:30] for one in rows), 4) + ClusterSums.from_pages(
        *(one[30:] for one in rows), 4
    )
    assert np.allclose(parts.totals, whole.totals)
    assert (parts.counts == whole.counts).all()
    assert parts.inertia == pytest.approx(whole.inertia)
    centres, weights = random.normal(size=(4, 3)), np.ones(4)
    still = update_centres(centres, weights, ClusterSums.from_pages(*(one[:0] for one in rows), 4))
    assert (still[0] == centres).all()
    assert (still[1] == weights).all()


def test_successive_small_updates_forget_like_one_large_update():
    random = np.random.default_rng(2)
    centres, weights = np.zeros((2, 3)), np.array([1000.0, 1000.0])
    rows = random.normal(size=(400, 3)) + 5, random.integers(0, 2, 400), random.random(400)
    for start in range(0, 400, 100):
        part = ClusterSums.from_pages(*(one[start : start + 100] for one in rows), 2)
        centres, weights = update_centres(centres, weights, part, half_life=400)
    assert weights.sum() == pytest.approx(1000 + 100 * sum(0.5 ** (1 - part / 4) for part in range(1, 5)), rel=1e-9)
    assert ((centres > 0.9) & (centres < 1.6)).all()


def test_drift_matches_hand_computation():
    # (0.3 - 0.5) ln(0.3 / 0.5) + (0.7 - 0.5) ln(0.7 / 0.5)
    assert drift.population_stability_index(np.array([10, 10]), np.array([3, 7])) == pytest.approx(0.16945957)
    assert drift.population_stability_index(np.array([1, 3]), np.array([25, 75])) == pytest.approx(0)
    # An empty cluster counts as 0.0001: 0.1 ln(0.1 / 0.0001) - 0.1 ln(0.9), less what the 0.0001 takes of the others.
    assert drift.population_stability_index(np.array([100, 0]), np.array([90, 10])) == pytest.approx(0.7006, abs=1e-4)
    assert drift.population_stability_index(np.array([5, 5]), np.array([0, 0])) == pytest.approx(0)
    assert drift.inertia_ratio(np.array([1.0, 3.0]), 2.5) == 2.0
    assert drift.inertia_ratio(np.array([]), 2.5) == 0.0
    # Ways 0, 3 and 0 are 1 in the mean; the distances 3, 4 and 5 between centres are 4.
    before = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert drift.centre_shift(before, before + np.array([[0, 0], [0, 3], [0, 0]])) == pytest.approx(0.25)
    assert drift.centre_shift(before[:1], before[1:2]) == 0.0


@pytest.fixture(scope="module")
def report():
    columns, _ = table(1500)
    model = by_theme()
    return columns, describe_clusters(columns, *model.assign(columns), model.k)


def test_cluster_is_described_by_its_words_hosts_and_nearest_pages(report):
    columns, result = report
    code = result[3]
    assert [host for host, _ in code["hosts"]][:2] == ["github.com", "rustbook.dev"]
    assert {"python", "rust"} < {word for word, _ in code["words"]}
    assert all(pages >= more for (_, pages), (_, more) in zip(code["words"], code["words"][1:], strict=False))
    assert len(code["examples"]) == 5
    assert {one["url"] for one in code["examples"]} < set(columns["url"])
    assert sum(one["share"] for one in result) == pytest.approx(1)


def test_names_use_distinctive_words_once_and_keep_existing_names(report):
    _, result = report
    names = name_clusters(result, [None] * 10)
    assert len(set(names)) == 10
    assert "rust" in names[3]
    assert "recipe" in names[4]
    kept = name_clusters(result, [None, "my sports", *[None] * 8])
    assert kept[1] == "my sports"
    first = name_clusters(result, [None, names[3], *[None] * 8])
    assert len(set(first)) == 10
    assert not set(first[3].split(", ")) & set(names[3].split(", "))


def test_empty_cluster_also_gets_a_name():
    columns = {"url": ["https://a.de/1", "https://a.de/2"], "title": ["", ""], "keywords": ["", ""]}
    clusters = describe_clusters(columns, np.array([0, 0]), np.array([0.0, 1.0]), 3)
    assert name_clusters(clusters, [None] * 3) == ["a.de", "cluster 1", "cluster 2"]
    assert clusters[1]["share"] == 0
