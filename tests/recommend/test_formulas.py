"""Each model beside a second implementation: a loop over the formula, scikit-learn or the library implicit."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import Ridge

from millrace.errors import BadInputError
from millrace.recommend import als, knn, linear, markov, time_weighted
from millrace.recommend.links import age_weights, keep_strongest, merge_links
from millrace.recommend.popularity import PopularityModel, count_items
from millrace.recommend.sequences import Sequences
from tests.recommend.made import sequences

FOUND = sequences(21, users=80, items=15)
TIMED_EVENTS = sequences(4, users=120, items=20, timed=True)
SEEDS = st.integers(0, 2**32 - 1)


def ones(interactions: Sequences) -> np.ndarray:
    dense = np.zeros((len(interactions), interactions.item_count))
    dense[interactions.users, interactions.items] = 1
    return dense


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_knn_matches_weighted_cosine_of_naive_loop(alpha):
    k1, b = 1.2, 0.75
    mean = len(FOUND.items) / len(FOUND)
    weights = [(k1 + 1) / (1 + k1 * (1 - b + b * length / mean)) for length in FOUND.lengths]
    together, norms = np.zeros((15, 15)), np.zeros(15)
    for user, weight in enumerate(weights):
        for first, other in combinations(FOUND[user], 2):
            together[first, other] += weight**2
            together[other, first] += weight**2
        norms[FOUND[user]] += weight**2
    expected = together / np.outer(norms, norms) ** (alpha / 2)
    assert knn.fit_knn(FOUND, k1=k1, b=b, alpha=alpha).matrix().toarray() == pytest.approx(expected, rel=1e-4)


def test_ease_matches_scikit_learn_ridge_of_each_item_on_all_others():
    dense, expected = ones(FOUND), np.zeros((15, 15))
    for item in range(15):
        others = np.setdiff1d(np.arange(15), [item])
        expected[others, item] = Ridge(alpha=5.0, fit_intercept=False).fit(dense[:, others], dense[:, item]).coef_
    links = linear.fit_ease(FOUND, penalty=5.0).matrix().toarray()
    assert links == pytest.approx(np.maximum(expected, 0), abs=1e-4)


def test_ridge_matches_scikit_learn_on_decayed_history_before_each_item():
    weights, before, after = age_weights(0.7, linear.MAX_PREDECESSORS), [], []
    for user in range(len(FOUND)):
        for position, item in enumerate(FOUND[user]):
            row = np.zeros(15)
            for age, earlier in enumerate(FOUND[user][:position][::-1]):
                row[earlier] += weights[age]
            before.append(row)
            after.append(np.arange(15) == item)
    expected = Ridge(alpha=3.0, fit_intercept=False).fit(np.array(before), np.array(after, dtype=float)).coef_.T
    np.fill_diagonal(expected, 0)
    links = linear.fit_ridge(FOUND, penalty=3.0, power=0.7).matrix().toarray()
    assert links == pytest.approx(np.maximum(expected, 0), abs=1e-4)


def test_ridge_products_of_parts_of_users_add_up_to_those_of_all():
    gains = time_weighted.event_gains(TIMED_EVENTS, 2e6)
    whole = linear.sum_ridge_products(TIMED_EVENTS, gains)
    parts = [np.arange(50), np.arange(50, len(TIMED_EVENTS))]
    sums = [
        linear.sum_ridge_products(TIMED_EVENTS.take(part), gains[np.isin(TIMED_EVENTS.users, part)]) for part in parts
    ]
    for product, first, second in zip(whole, *sums, strict=True):
        assert (first + second).toarray() == pytest.approx(product.toarray(), rel=1e-4, abs=1e-6)


def test_time_weighted_ridge_solves_weighted_least_squares():
    gains = time_weighted.event_gains(TIMED_EVENTS, 2e6)
    weights, before, after = 1 / np.arange(1, linear.MAX_PREDECESSORS + 1), [], []
    for user in range(len(TIMED_EVENTS)):
        for position, item in enumerate(TIMED_EVENTS[user]):
            earlier = TIMED_EVENTS[user][:position][::-1]
            before.append(np.bincount(earlier, weights[: len(earlier)], minlength=20))
            after.append(np.arange(20) == item)
    rows, targets = np.array(before), np.array(after, dtype=float)
    system = rows.T @ (gains[:, None] * rows) + 3 * np.eye(20)
    expected = np.linalg.solve(system, rows.T @ (gains[:, None] * targets))
    np.fill_diagonal(expected, 0)
    products = linear.count_ridge_products(TIMED_EVENTS, gains)
    links = linear.fit_ridge_from_products(*products, penalty=3.0).matrix().toarray()
    assert links == pytest.approx(np.maximum(expected, 0), abs=1e-4)


def test_penalties_share_matrices_that_stay_as_they_are():
    gram, products = linear.count_gram(TIMED_EVENTS), linear.count_ridge_products(TIMED_EVENTS)
    for penalty in (20.0, 60.0):
        alone = linear.fit_ease(TIMED_EVENTS, penalty=penalty), linear.fit_ridge(TIMED_EVENTS, penalty=penalty)
        shared = (
            linear.fit_ease_from_gram(gram, penalty=penalty),
            linear.fit_ridge_from_products(*products, penalty=penalty),
        )
        for links, expected in zip(shared, alone, strict=True):
            assert (links.matrix().toarray() == expected.matrix().toarray()).all()


def transitions(interactions: Sequences, ahead: int) -> np.ndarray:
    expected = np.zeros((interactions.item_count,) * 2)
    for user in range(len(interactions)):
        for first, item in enumerate(interactions[user]):
            for distance, later in enumerate(interactions[user][first + 1 : first + 1 + ahead], start=1):
                expected[item, later] += 1 / distance
    return expected


@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0])
def test_markov_matches_decayed_transitions_of_naive_loop(norm):
    expected = transitions(FOUND, 4)
    expected /= expected.sum(axis=1, keepdims=True) ** norm
    assert markov.fit_markov(FOUND, norm=norm, ahead=4).matrix().toarray() == pytest.approx(expected, rel=1e-5)


@given(SEEDS, st.integers(0, 8))
def test_adding_transitions_of_new_items_to_previous_ones_equals_refit(seed, last):
    whole = sequences(seed)
    new = whole.ages < last
    tails = whole.where(whole.ages < last + markov.MAX_STEPS_AHEAD)
    updated = markov.count_transitions(whole.where(~new)) + markov.count_transitions(tails, new=tails.ages < last)
    assert updated.toarray() == pytest.approx(markov.count_transitions(whole).toarray(), rel=1e-5, abs=1e-6)


@given(SEEDS, st.integers(0, 8))
def test_adding_counts_of_new_items_to_previous_ones_equals_refit(seed, last):
    whole = sequences(seed)
    new = whole.ages < last
    assert (count_items(whole.where(~new)) + count_items(whole.where(new)) == count_items(whole)).all()


def test_popularity_window_counts_its_own_items_and_ranks_the_rest_last():
    interactions = sequences(2, timed=True)
    assert interactions.times is not None
    since = float(interactions.times.max()) - 2e6
    expected = np.bincount(interactions.items[interactions.times > since], minlength=interactions.item_count)
    model = PopularityModel.fit(interactions, 2e6)
    assert (model.counts == expected).all()
    assert set(model.popular) == set(interactions.items)
    assert (np.diff(expected[model.popular]) <= 0).all()


def test_als_solves_users_like_implicit_and_splits_score_into_reasons():
    from implicit.cpu.als import AlternatingLeastSquares

    model = als.fit_als(FOUND, factors=6, penalty=0.1, alpha=4.0, power=0.0, iterations=3)
    peer = AlternatingLeastSquares(factors=6, regularization=0.1, alpha=5.0, num_threads=1)
    peer.item_factors = model.factors
    for user in range(10):
        row = sparse.csr_matrix((np.ones(len(FOUND[user]), dtype=np.float32), (0 * FOUND[user], FOUND[user])), (1, 15))
        expected = model.factors @ peer.recalculate_user(0, row)
        assert model.scores(FOUND[user]) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert (
        als.fit_als(FOUND, factors=6, iterations=2).factors == als.fit_als(FOUND, factors=6, iterations=2).factors
    ).all()


@given(SEEDS, st.integers(1, 6))
def test_strongest_links_are_kept_and_ties_go_to_lower_number(seed, keep):
    random = np.random.default_rng(seed)
    dense = random.integers(-2, 4, (9, 9)).astype(np.float32)
    expected = np.zeros_like(dense)
    for row, values in enumerate(dense):
        good = [column for column in np.argsort(-values, kind="stable") if values[column] > 0 and column != row][:keep]
        expected[row, good] = values[good]
    for blocks in ([dense[:4], dense[4:]], [sparse.csr_matrix(dense)]):
        assert (keep_strongest(blocks, 9, keep=keep).matrix().toarray() == expected).all()


def test_blend_links_are_weighted_sums_of_its_layers():
    layers = [knn.fit_knn(FOUND), markov.fit_markov(FOUND)]
    expected = 2 * layers[0].matrix().toarray() + 0.25 * layers[1].matrix().toarray()
    assert merge_links(layers, [2, 0.25], 1.0).matrix().toarray() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("fit", [linear.fit_ease, linear.fit_ridge])
def test_too_many_items_for_dense_model_are_rejected(fit):
    many = Sequences(np.array([0, 1], dtype=np.int32), np.array([0, 2]), linear.MAX_ITEMS + 1)
    with pytest.raises(BadInputError, match="with 10001 items is not usable; allowed: at most 10000"):
        fit(many)
