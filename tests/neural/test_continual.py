"""What continual training does to its state, without a broker: it asks, learns, replays, grows, and comes back."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -r requirements/neural.lock")

from millrace.errors import CorruptError  # noqa: E402
from millrace.neural.continual.event_log import StreamEvent, read_events  # noqa: E402
from millrace.neural.continual.gate import make_questions  # noqa: E402
from millrace.neural.continual.item_counts import DAY_S, ItemCounts  # noqa: E402
from millrace.neural.continual.learner import Learner  # noqa: E402
from millrace.neural.continual.micro_batches import next_cut  # noqa: E402
from millrace.neural.continual.plan import ContinualPlan  # noqa: E402
from millrace.neural.continual.publish import to_served_arrays  # noqa: E402
from millrace.neural.continual.reservoir import ReplayBuffer  # noqa: E402
from millrace.neural.continual.state import TrainingState  # noqa: E402
from millrace.runtime.text_arrays import TextArray  # noqa: E402
from millrace.workloads import find_workload  # noqa: E402
from millrace.workloads.base import ANONYMOUS  # noqa: E402
from tests.neural.streams import MODEL, SMALL, micro_batches, stream  # noqa: E402

BATCHES = micro_batches(stream(1600), SMALL.batch)


def learned(count: int, plan: ContinualPlan = SMALL) -> Learner:
    learner = Learner(TrainingState.make_empty(plan, MODEL.window))
    for item in BATCHES[:count]:
        learner.learn(*item)
    return learner


@pytest.fixture(scope="module")
def packed() -> bytes:
    """A state after eight micro-batches."""
    return learned(8).state.to_bytes()


def of(packed: bytes) -> TrainingState:
    return TrainingState.from_bytes(packed, "the test's state")


def hits_by_hand(state: TrainingState, events: list[StreamEvent]) -> tuple[int, float]:
    """(asked, hits) of a micro-batch: the serving form scores every item, one question after the other, in Python."""
    model, arrays = to_served_arrays(state)
    ids = TextArray.from_arrays(arrays, "item_ids").to_list()
    walks = {
        user: [state.items.texts[item] for item in state.histories.walk(user)] for user in state.histories.users.texts
    }
    questions, hits = 0, 0.0
    for event in events:
        walk = walks.setdefault(event.user, [])
        if event.item in walk:
            continue
        if walk:
            questions += 1
            known = [ids.index(item) for item in walk if item in ids]
            if event.item in ids and known:
                scores = model.scores(np.array(known))
                others = [item for item in range(len(ids)) if item not in known]
                ranking = sorted(others, key=lambda item: -scores[item])
                hits += ranking.index(ids.index(event.item)) < 10
        walk.append(event.item)
    return questions, hits


@pytest.mark.parametrize("network", ["sasrec", "bert4rec"])
def test_micro_batches_are_evaluated_before_learning_and_match_manual_counts(network):
    learner = learned(3, replace(SMALL, network=network))
    for number in range(3, 8):
        expected = hits_by_hand(learner.state, BATCHES[number][1])
        before = dict(learner.state.progress.counts)
        outcome = learner.learn(*BATCHES[number])
        assert (outcome.asked, outcome.hits) == expected
        assert learner.state.progress.counts["asked"] - before["asked"] == expected[0]
    asked_, hits = map(sum, zip(*learner.state.progress.recent, strict=True))
    assert learner.state.progress.hr() == pytest.approx(hits / asked_)


def test_hit_rate_on_unseen_events_rises_on_learnable_stream():
    learner = learned(len(BATCHES), replace(SMALL, steps=4, rate=3e-3))
    shares = [hits / asked_ for asked_, hits in learner.state.progress.recent]
    early, late = np.mean(shares[1:6]), np.mean(shares[-5:])
    # Of 200 courses ten by chance are 0.05; what follows a course is learned from others.
    assert late > early + 0.1
    assert late > 0.3


def test_same_stream_gives_same_bits_even_through_checkpoint(packed):
    straight, resumed = learned(12), Learner(of(packed))
    for item in BATCHES[8:12]:
        resumed.learn(*item)
    assert resumed.state.to_bytes() == straight.state.to_bytes()


def test_corrupted_or_truncated_state_is_rejected(packed):
    for position in (len(packed) // 2, len(packed) - 1, 30):
        changed = bytearray(packed)
        changed[position] ^= 1
        with pytest.raises(CorruptError, match=r"(?s)checkpoint 7 .*(checksum|no checkpoint)"):
            TrainingState.from_bytes(bytes(changed), "checkpoint 7")
    with pytest.raises(CorruptError, match="truncated"):
        TrainingState.from_bytes(packed[:-100], "checkpoint 7")
    with pytest.raises(CorruptError, match="no checkpoint of millrace"):
        TrainingState.from_bytes(b"", "checkpoint 7")


def test_checkpoint_sizes_override_those_of_plan(packed):
    state = TrainingState.from_bytes(packed, "", replace(SMALL, width=64, buffer=9, rate=0.5, batch=7))
    assert (state.plan.width, state.plan.buffer, state.plan.rate, state.plan.batch) == (16, 200, 0.5, 7)


def test_run_options_leave_no_trace_in_training_state(packed):
    other = TrainingState.from_bytes(
        packed, "", replace(SMALL, restarts=0, until_end=True, fresh=True, accept_gaps=True)
    )
    assert other.plan.until_end
    assert other.to_bytes() == packed


def test_new_items_are_added_and_existing_ones_keep_weights_and_moments(packed):
    state = of(packed)
    network, known = state.weights.network, len(state.items)
    before = {name: array.copy() for name, array in state.weights.arrays().items()}
    history = torch.tensor([[1, 2, 3]])
    scores = network.eval().scores(history).detach()
    state.weights.grow(known + 7)
    after = state.weights.arrays()
    assert after["weights_0"].shape == (known + 7, 16)
    assert (after["weights_0"][:known] == before["weights_0"]).all()
    assert (after["second_0"][:known] == before["second_0"]).all()
    assert not after["second_0"][known:].any()
    assert after["weights_0"][known:].any(axis=1).all()
    assert network.scores(history)[:, :known].detach().numpy() == pytest.approx(scores.numpy(), abs=1e-6)


def test_optimiser_steps_match_adamw_in_pytorch(packed):
    ours, theirs = of(packed).weights, of(packed).weights
    for moment in (*ours.first, *ours.second):
        moment.zero_()
    ours.steps = 0
    optimiser = torch.optim.AdamW(theirs.network.parameters(), lr=SMALL.rate, weight_decay=0.01)
    for seed in range(5):
        for weights in (ours, theirs):
            torch.manual_seed(seed)
            for first in weights.network.parameters():
                first.grad = torch.randn_like(first) * 10.0 ** (seed - 3)
        ours.step()
        optimiser.step()
    for first, other in zip(ours.network.parameters(), theirs.network.parameters(), strict=True):
        assert first.detach().numpy() == pytest.approx(other.detach().numpy(), rel=1e-5, abs=1e-7)


def test_bert_mask_stays_after_items_added_later():
    state = learned(2, replace(SMALL, network="bert4rec")).state
    mask = state.weights.network.items.weight[-1].detach().clone()
    state.weights.grow(len(state.items) + 3)
    assert torch.equal(state.weights.network.items.weight[-1].detach(), mask)
    assert state.weights.network.count == len(state.items) + 3


def test_items_beyond_capacity_are_counted_but_never_learned():
    learner = learned(6, replace(SMALL, items=30))
    assert len(learner.state.items) == 30 == learner.state.weights.network.count
    counts = learner.state.progress.counts
    assert counts["unknown"] > 0
    assert counts["fresh"] + counts["repeated"] + counts["unknown"] == counts["read"] == 6 * SMALL.batch


def test_repeated_and_unreadable_events_change_no_weights():
    once, twice = learned(4), learned(3)
    made, result = BATCHES[3]
    broken = StreamEvent(0, 0, 0, None, "", 0.0)
    twice.learn(made, [*result, *result, broken])
    counts = twice.state.progress.counts
    assert counts["repeated"] - once.state.progress.counts["repeated"] == len(result)
    assert counts["unreadable"] == 1
    assert all((twice.state.arrays()[name] == array).all() for name, array in once.state.arrays().items())


def test_messages_become_events_and_anonymous_session_is_its_own_user():
    shop = find_workload("shop").recommenders[0]
    row = b'{"order_id":"o1","product_id":"p1","user_id":null,"event_time":"2020-01-01T00:00:00Z"}'
    message = stream(1, 1).partitions[0][0]
    events = read_events(
        [message._replace(value=row), message._replace(value=b"[]"), message._replace(value=None)], shop
    )
    assert (events[0].user, events[0].item, events[0].at) == (f"{ANONYMOUS}o1", "p1", 1_577_836_800.0)
    assert [event.user for event in events[1:]] == [None, None]


def test_anonymous_sessions_are_neither_evaluated_nor_published():
    made, result = BATCHES[0]
    learner = Learner(TrainingState.make_empty(SMALL, MODEL.window))
    learner.learn(made, [event._replace(user=ANONYMOUS + event.user) for event in result])
    assert learner.state.progress.counts["asked"] == 0
    assert learner.state.replay.seen > 0
    assert len(TextArray.from_arrays(to_served_arrays(learner.state)[1], "users")) == 0
    assert make_questions(learner.state, [result[0]._replace(user=ANONYMOUS + result[0].user, item="another")], {}) == (
        [],
        0,
    )


def test_replay_buffer_is_bounded_uniform_sample_of_all_events():
    size, total, rounds = 40, 400, 300
    counts = np.zeros(total)
    for seed in range(rounds):
        buffer = ReplayBuffer(size, seed)
        for start in range(0, total, 50):
            buffer.offer(np.column_stack([np.arange(start, start + 50), np.ones(50, dtype=np.int64)]))
            assert len(buffer.kept) == min(size, start + 50)
        assert len(set(buffer.kept[:, 0].tolist())) == size
        counts[buffer.kept[:, 0]] += 1
    # Each of 400 is kept with the chance 0.1: 30 times of 300, with a standard deviation of 5.2.
    assert np.abs(counts - rounds * size / total).max() < 5 * 5.2
    for eighth in counts.reshape(8, 50).sum(axis=1):
        assert abs(eighth - rounds * size / 8) < 5 * np.sqrt(rounds * size / 8)
    drawn = buffer.draw(4000, 7)
    assert np.bincount(drawn[:, 0], minlength=total).max() < 100 + 5 * 10
    assert (drawn == buffer.draw(4000, 7)).all()


def test_cut_is_full_and_balanced_and_never_waits_for_empty_partition():
    assert next_cut({}, {0: 3, 1: 3}, 7) is None
    assert next_cut({}, {0: 9, 1: 9}, 8) == {0: (0, 4), 1: (0, 4)}
    assert next_cut({0: 5, 1: 2}, {0: 5, 1: 99, 2: 1}, 10) == {1: (2, 11), 2: (0, 1)}
    random = np.random.default_rng(1)
    for _ in range(300):
        ends = {number: int(random.integers(0, 30)) for number in range(5)}
        size = int(random.integers(1, 40))
        made = next_cut({}, ends, size)
        assert (made is None) == (sum(ends.values()) < size)
        if made is not None:
            assert sum(end - first for first, end in made.values()) == size
            assert all(end <= ends[number] for number, (_, end) in made.items())


def test_popularity_forgets_days_before_its_window_and_reloads_from_arrays():
    taken = ItemCounts(2)
    taken.grow(3)
    taken.add([0, 0, 0, 1], [0.0, 1.0, 2.0, 3.0])
    assert taken.order.tolist() == [0, 1]
    taken.add([1, 2], [5.0 * DAY_S, 5.0 * DAY_S])
    taken = ItemCounts.load(2, taken.arrays())
    assert list(taken.days) == [5]
    assert taken.order.tolist() == [1, 2, 0]
    taken.grow(5)
    assert taken.order.tolist() == [1, 2, 0]
