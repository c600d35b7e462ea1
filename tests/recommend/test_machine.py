"""The factorization machine as arrays: scores by its formula, exact reasons, arrays that do not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import CorruptError
from millrace.recommend.factorization_machine import MachineModel
from millrace.recommend.loading import load_model
from millrace.recommend.top_items import MAX_REASONS
from tests.recommend.made import sequences

ITEMS, WIDTH, DEPTH = 20, 6, 4


def made() -> MachineModel:
    random = np.random.default_rng(7)
    shapes = {"factors": (ITEMS, WIDTH), "before": (ITEMS, WIDTH), "bias": (ITEMS,), "by_age": (DEPTH,)}
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    weights["by_age"] = np.abs(weights["by_age"])
    return MachineModel(weights, np.delete(random.permutation(ITEMS), 3).astype(np.int32))


MODEL = made()


@given(st.lists(st.integers(0, ITEMS - 1), max_size=8, unique=True), st.integers(0, 30))
def test_score_sums_item_contributions_and_reasons_are_largest_ones(history, n):
    weights, known = MODEL.weights, np.array(history, dtype=np.int64)
    says = {
        item: weights["by_age"][age] * (weights["factors"] @ weights["before"][item])
        for age, item in enumerate(history[::-1][:DEPTH])
    }
    expected = weights["bias"] + sum(says.values(), np.zeros(ITEMS))
    answer = MODEL.top(known, n)
    allowed = [item for item in sorted(MODEL.popular.tolist()) if item not in history]
    best = sorted(allowed, key=lambda item: -MODEL.scores(known)[item])[:n]
    assert answer.items.tolist() == best
    assert answer.scores == pytest.approx(expected[best], rel=1e-4, abs=1e-4)
    for item, reasons in zip(answer.items.tolist(), answer.because, strict=True):
        above = sorted((part[item] for part in says.values() if part[item] > 0), reverse=True)[:MAX_REASONS]
        assert [says[one][item] for one in reasons] == pytest.approx(above, rel=1e-4, abs=1e-5)


def test_batch_scores_match_individual_scores():
    interactions = sequences(3, items=ITEMS)
    scores = MODEL.batch(interactions)
    for user in range(len(interactions)):
        assert scores[user] == pytest.approx(MODEL.scores(interactions[user]), rel=1e-3, abs=1e-4)


def test_stored_arrays_restore_same_model_and_inconsistent_ones_are_rejected():
    again = load_model("machine", MODEL.arrays())
    assert again.scores(np.array([1, 2])) == pytest.approx(MODEL.scores(np.array([1, 2])))
    for name in ("before", "bias"):
        with pytest.raises(CorruptError, match=rf"{name}.npy .* does not fit factors \[20, 6\]"):
            load_model("machine", MODEL.arrays() | {name: np.ones((3, 3), dtype=np.float32)})
