"""Sampled negatives and the intervals over users."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import BadInputError
from millrace.evaluation.bootstrap import bootstrap_intervals
from millrace.evaluation.metrics import user_metrics
from millrace.evaluation.ranks import draw_negatives, rank_targets
from millrace.evaluation.split import split_leave_one_out
from tests.recommend.made import every_user, fitted, sequences

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_negatives_are_distinct_and_exclude_history_and_target(seed):
    fold = split_leave_one_out(sequences(seed)).test
    drawn = draw_negatives(fold, seed, 12)
    assert drawn.shape == (len(fold), 12)
    for user in range(len(fold)):
        assert len(set(drawn[user])) == 12
        assert not set(drawn[user]) & {*fold.histories[user].tolist(), int(fold.targets[user])}
    assert (drawn == draw_negatives(fold, seed, 12)).all()


def test_negatives_are_uniform_over_remaining_items():
    fold = every_user(sequences(5, users=4000, items=25, longest=4))
    drawn = draw_negatives(fold, 1, 5)
    allowed = np.ones((len(fold), 25))
    allowed[fold.histories.users, fold.histories.items] = 0
    allowed[np.arange(len(fold)), fold.targets] = 0
    expected = (5 * allowed / allowed.sum(axis=1, keepdims=True)).sum(axis=0)
    result = np.bincount(drawn.ravel(), minlength=25)
    asked = expected > 0
    assert not result[~asked].any()
    # Chi-squared with at most 24 degrees of freedom: under 52 in 999 of 1,000.
    assert ((result - expected)[asked] ** 2 / expected[asked]).sum() < 52


def test_too_few_items_for_negatives_is_reported():
    fold = split_leave_one_out(sequences(1)).test
    with pytest.raises(BadInputError, match=r"100 negatives are not to be had: of 25 items, a user knows \d"):
        draw_negatives(fold, 1)


def test_ranks_among_negatives_match_naive_loop():
    fold = split_leave_one_out(sequences(4)).test
    model, negatives = fitted("knn", fold.fit), draw_negatives(fold, 2, 8)
    result, scores = rank_targets(model, fold, negatives), model.batch(fold.histories)
    for user, target in enumerate(fold.targets):
        others = [scores[user, item] for item in negatives[user]]
        assert result.greater[user] == sum(other > scores[user, target] for other in others)
        assert result.tied[user] == 1 + sum(other == scores[user, target] for other in others)


def test_intervals_match_naive_bootstrap_over_users():
    random = np.random.default_rng(1)
    values = user_metrics(random.integers(0, 40, 300), np.ones(300, dtype=int))
    means = np.array([values[random.integers(0, 300, 300)].mean(axis=0) for _ in range(4000)])
    expected = np.percentile(means, [2.5, 97.5], axis=0)
    width = expected[1] - expected[0]
    assert (np.abs(bootstrap_intervals(values, 7, 4000) - expected) < 0.1 * width).all()
    low, high = bootstrap_intervals(values, 7)
    assert ((low < values.mean(axis=0)) & (values.mean(axis=0) < high)).all()


def test_same_seed_repeats_interval_and_more_users_narrow_it():
    values = user_metrics(np.arange(400) % 30, np.ones(400, dtype=int))
    assert (bootstrap_intervals(values, 3) == bootstrap_intervals(values, 3)).all()
    few, many = bootstrap_intervals(values[:100], 3), bootstrap_intervals(np.tile(values, (4, 1)), 3)
    assert (many[1] - many[0] < few[1] - few[0]).all()
