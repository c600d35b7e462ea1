"""HR, NDCG and MRR beside scikit-learn's, and beside all orders that ties allow."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score, top_k_accuracy_score

from millrace.evaluation.metrics import user_metrics
from millrace.evaluation.ranks import rank_targets
from tests.recommend.made import MODELS, every_user, fitted, sequences

SEEDS = st.integers(0, 2**32 - 1)


def counted(scores: np.ndarray, target: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([(scores > scores[target]).sum()]), np.array([(scores == scores[target]).sum()])


@given(SEEDS, st.integers(2, 40), st.integers(1, 12), st.integers(1, 12))
def test_ndcg_matches_scikit_learn_including_ties(seed, items, levels, k):
    random = np.random.default_rng(seed)
    scores, target = random.integers(0, levels, items), int(random.integers(items))
    truth = (np.arange(items) == target).astype(float)
    assert user_metrics(*counted(scores, target), k)[0, 1] == pytest.approx(ndcg_score([truth], [scores], k=k))


@given(SEEDS, st.integers(3, 40), st.integers(1, 12))
def test_hits_and_reciprocal_ranks_match_scikit_learn(seed, items, k):
    random = np.random.default_rng(seed)
    scores, target = random.permutation(items), int(random.integers(items))
    truth = (np.arange(items) == target).astype(int)
    hit, _, reciprocal = user_metrics(*counted(scores, target), k)[0]
    assert reciprocal == pytest.approx(label_ranking_average_precision_score([truth], [scores]))
    assert hit == top_k_accuracy_score([target], [scores], k=min(k, items - 1), labels=np.arange(items)) or k >= items


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(1, 4), SEEDS)
def test_ties_give_mean_over_all_orderings(scores, k, seed):
    target = seed % len(scores)
    results = []
    for order in permutations(range(len(scores))):
        rank = sorted(range(len(scores)), key=lambda item: (-scores[item], order[item])).index(target) + 1
        results.append((rank <= k, 1 / np.log2(1 + rank) if rank <= k else 0, 1 / rank))
    assert user_metrics(*counted(np.array(scores), target), k)[0] == pytest.approx(np.mean(results, axis=0))


def test_uninformed_model_scores_chance_level_not_first_place():
    assert user_metrics(np.array([0]), np.array([100]), 10)[0, 0] == pytest.approx(0.1)


def test_no_users_give_no_values():
    assert user_metrics(np.array([], dtype=int), np.array([], dtype=int)).shape == (0, 3)


@pytest.mark.parametrize("name", MODELS)
def test_full_ranking_ndcg_of_every_model_matches_scikit_learn(name):
    fold = every_user(sequences(3))
    model = fitted(name, fold.fit)
    scores = model.batch(fold.histories)
    expected = []
    for user, target in enumerate(fold.targets):
        others = np.setdiff1d(np.arange(fold.fit.item_count), fold.histories[user])
        shown = scores[user, others].astype(float)
        shown = np.maximum(shown, np.finfo(np.float32).min)  # scikit-learn takes no infinity
        expected.append(ndcg_score([(others == target).astype(float)], [shown], k=10))
    ranked = rank_targets(model, fold)
    assert user_metrics(ranked.greater, ranked.tied)[:, 1] == pytest.approx(np.array(expected))
