"""What every model's answer holds, whatever the history, and what it says the reasons are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.recommend.link_model import LinkModel
from millrace.recommend.links import Links, age_weights
from millrace.recommend.top_items import MAX_REASONS, clean_history, select_best
from tests.recommend.made import MODELS, fitted, sequences

FOUND = sequences(11, users=60, items=30)
FITTED = {name: fitted(name, FOUND.where(FOUND.items != 7)) for name in MODELS}  # nobody took item 7
HISTORIES = st.lists(st.integers(-3, 40), max_size=45)


@pytest.mark.parametrize("name", MODELS)
@given(HISTORIES, st.integers(0, 40), st.booleans())
def test_answer_never_contains_known_unknown_or_duplicate_items(name, history, n, keep_known):
    model = FITTED[name]
    answer = model.top(np.array(history, dtype=np.int64), n, keep_known=keep_known)
    items = answer.items.tolist()
    allowed = set(model.popular.tolist()) - (set() if keep_known else set(history))
    assert len(set(items)) == len(items) == min(n, len(allowed))
    assert set(items) <= allowed
    assert 7 not in items
    assert len(answer.scores) == len(answer.because) == len(items)
    assert (np.diff(answer.scores) <= 0).all()
    assert not answer.scores[len(items) - answer.filled :].any()
    for reasons in answer.because:
        assert len(set(reasons)) == len(reasons) <= MAX_REASONS
        assert set(reasons) <= {item for item in history if 0 <= item < 30}


@pytest.mark.parametrize("name", MODELS)
@given(HISTORIES, st.integers(1, 40))
def test_answer_contains_highest_scoring_items(name, history, n):
    model = FITTED[name]
    answer, scores = model.top(np.array(history, dtype=np.int64), n), model.scores(np.array(history, dtype=np.int64))
    others = [item for item in model.popular.tolist() if item not in history]
    expected = sorted(others, key=lambda item: (-scores[item], item))[:n]
    assert scores[answer.items] == pytest.approx(scores[expected], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_batch_scores_match_individual_scores(name):
    model = FITTED[name]
    scores = model.batch(FOUND)
    for user in range(len(FOUND)):
        assert scores[user] == pytest.approx(model.scores(FOUND[user]), rel=1e-4, abs=1e-5)


@given(HISTORIES)
def test_history_counts_each_known_item_once_at_its_last_position(history):
    last = {item: place for place, item in enumerate(history) if 0 <= item < 30}
    assert clean_history(history, 30).tolist() == sorted(last, key=last.__getitem__)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 30))
def test_ties_are_ordered_by_lower_item_number(scores, n):
    expected = sorted(range(len(scores)), key=lambda item: (-scores[item], item))[:n]
    assert select_best(np.array(scores, dtype=float), np.arange(len(scores)), n).tolist() == expected


@pytest.mark.parametrize("name", ["knn", "markov", "ease", "ridge", "blend"])
def test_reasons_are_largest_contributions_to_score(name):
    model = FITTED[name]
    matrix, by_age = model.links.matrix().toarray(), model.links.by_age
    for user in range(len(FOUND)):
        history = FOUND[user][::-1]  # newest first
        answer = model.top(FOUND[user], 5)
        for item, score, reasons in zip(answer.items, answer.scores, answer.because, strict=True):
            shares = matrix[history, item] * by_age[: len(history)]
            assert score == pytest.approx(shares.sum(), rel=1e-5)
            expected = [int(history[place]) for place in np.argsort(-shares, kind="stable") if shares[place] > 0]
            assert reasons == expected[:MAX_REASONS]


@pytest.mark.parametrize("name", ["knn", "markov", "blend"])
@given(HISTORIES)
def test_dense_rows_and_combined_links_give_same_answers(name, history):
    whole = FITTED[name]
    assert whole._dense is not None
    together = LinkModel(whole.links, whole.popular)
    vars(together)["_dense"] = None  # as with many items
    given_ = np.array(history, dtype=np.int64)
    assert together.scores(given_) == pytest.approx(whole.scores(given_), rel=1e-5, abs=1e-6)
    first, other = together.top(given_, 10), whole.top(given_, 10)
    assert first.scores == pytest.approx(other.scores, rel=1e-5, abs=1e-6)
    reasons = dict(zip(first.items.tolist(), first.because, strict=True))
    assert all(reasons.get(item, said) == said for item, said in zip(other.items.tolist(), other.because, strict=True))


def test_best_of_many_items_match_full_ranking():
    random = np.random.default_rng(3)
    items, each = 6_000, 12  # few links for so many items; few values, so that many are equal
    neighbours = np.sort(np.array([random.choice(80, each, replace=False) for _ in range(items)]), axis=1)
    weights = random.integers(1, 4, items * each).astype(np.float32)
    starts = np.arange(0, items * each + 1, each)
    model = LinkModel(Links(starts, neighbours.astype(np.int32).ravel(), weights, age_weights(0.0)), np.arange(items))
    for length in (1, 2, 7, 30):
        history = random.choice(items, length, replace=False)
        scores = model.scores(history)
        for n in (0, 1, 3, 10, 200):
            expected = [i for i in np.argsort(-scores, kind="stable").tolist() if i not in history][:n]
            assert model.top(history, n).items.tolist() == expected
