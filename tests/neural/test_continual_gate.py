"""A state as a version: what is served is what was learned, and both sides of the gate are asked the same."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -r requirements/neural.lock")

from millrace.errors import BadInputError, CorruptError  # noqa: E402
from millrace.neural.continual.gate import MIN_USERS, HeldOutQuestion, judge_state, make_questions, score_questions  # noqa: E402
from millrace.neural.continual.learner import Learner  # noqa: E402
from millrace.neural.continual.plan import ContinualPlan  # noqa: E402
from millrace.neural.continual.publish import to_served_arrays  # noqa: E402
from millrace.neural.continual.state import TrainingState  # noqa: E402
from millrace.recommend.popularity import PopularityModel  # noqa: E402
from millrace.runtime.text_arrays import TextArray  # noqa: E402
from tests.neural.streams import MODEL, SMALL, micro_batches, stream  # noqa: E402

BATCHES = micro_batches(stream(800), SMALL.batch)


@pytest.fixture(scope="module")
def packed() -> bytes:
    """A state after eight micro-batches."""
    learner = Learner(TrainingState.make_empty(SMALL, MODEL.window))
    for item in BATCHES[:8]:
        learner.learn(*item)
    return learner.state.to_bytes()


def of(packed: bytes) -> TrainingState:
    return TrainingState.from_bytes(packed, "the test's state")


def test_version_serves_network_scores_with_items_and_users_sorted(packed):
    state = of(packed)
    model, arrays = to_served_arrays(state)
    ids = TextArray.from_arrays(arrays, "item_ids").to_list()
    users = TextArray.from_arrays(arrays, "users").to_list()
    assert ids == sorted(state.items.texts)
    assert users == sorted(users)
    for position in (0, 5, len(users) - 1):
        own = arrays["history_items"][slice(*arrays["history_starts"][position : position + 2])]
        walk = state.histories.walk(users[position])
        assert [ids[item] for item in own] == [state.items.texts[item] for item in walk]
        with torch.no_grad():
            expected = state.weights.network.eval().scores(torch.tensor([walk.tolist()[-SMALL.depth :]]))[0]
        rank = [ids.index(text) for text in state.items.texts]
        assert model.scores(own)[rank] == pytest.approx(expected.numpy(), rel=1e-3, abs=1e-4)


def test_weights_scored_differently_by_numpy_are_not_published(packed, monkeypatch):
    state = of(packed)
    monkeypatch.setattr(state.weights.network, "scores", lambda history: torch.ones(1, len(state.items)))
    with pytest.raises(CorruptError, match="Nothing was published"):
        to_served_arrays(state)


def test_gate_asks_each_user_once_and_skips_events_champion_has_learned(packed):
    state = of(packed)
    held_out = [event for _, found in BATCHES[8:12] for event in found]
    questions, left_out = make_questions(state, held_out, {})
    new = {event.user for event in held_out if len(state.histories.walk(event.user))}
    assert 20 < len(questions) <= len(new)
    assert not left_out
    assert all(one.target not in one.history for one in questions)
    learned_from = {"0": (0, 10**9), "1": (0, 10**9)}
    fewer, more = make_questions(state, held_out, learned_from)
    assert len(fewer) + more == len(questions)
    assert 0 < len(fewer) < len(questions)


def test_target_unknown_to_model_counts_as_miss():
    model = PopularityModel(np.array([3.0, 2.0, 1.0], dtype=np.float32), np.arange(3, dtype=np.int32))
    questions = [HeldOutQuestion(["a"], "b"), HeldOutQuestion(["a", "elsewhere"], "elsewhere too")]
    assert score_questions(model, ["a", "b", "c"], questions) == {"hr": 0.5, "ndcg": 0.5, "mrr": 0.5}


def test_verdict_states_both_scores_and_fails_with_too_few_users():
    assert judge_state(0.3, ("20260101T000000Z-00000000", 0.31), 50, 0).passed
    worse = judge_state(0.2, ("20260101T000000Z-00000000", 0.31), 50, 0)
    assert (worse.passed, worse.sentence) == (
        False,
        "refused: NDCG@10 0.2000 against 0.3100 of 20260101T000000Z-00000000 for the same 50 held-out users, "
        "margin 0.02",
    )
    few = judge_state(0.9, ("20260101T000000Z-00000000", 0.1), MIN_USERS - 1, 30)
    assert not few.passed
    assert "too few" in few.sentence
    assert judge_state(0.0, None, 0, 0).passed


def test_invalid_plan_is_rejected_with_allowed_values():
    for name, value in (("workers", 0), ("batch", 0), ("depth", 1), ("replay", -1)):
        with pytest.raises(BadInputError, match=f"--{name} {value} is not usable; allowed"):
            ContinualPlan(**{name: value})
