"""Groups of two processes over real object storage: killed and resumed to the bit, judged, promoted and refused."""

import logging
import os
import re
import signal
import uuid
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -r requirements/neural.lock")

from millrace.errors import ConflictError, CorruptError  # noqa: E402
from millrace.neural.continual.bootstrap import start_state  # noqa: E402
from millrace.neural.continual.checkpoint import CheckpointStore  # noqa: E402
from millrace.neural.continual.learner import Learner  # noqa: E402
from millrace.neural.continual.publish import VersionPublisher  # noqa: E402
from millrace.neural.continual.state import TrainingState  # noqa: E402
from millrace.neural.continual.supervise import GroupSupervisor  # noqa: E402
from millrace.registry.code_version import find_code_version  # noqa: E402
from millrace.registry.registry import Registry  # noqa: E402
from millrace.registry.store import ObjectStore  # noqa: E402
from tests.neural import strayed  # noqa: E402
from tests.neural.streams import MODEL, MOOC, SMALL, Listed, micro_batches, stream  # noqa: E402
from tests.registry.servers import s3_server, settings_of  # noqa: E402

LOG = stream(1000)
LAST = 15  # full micro-batches of it
TO_THE_END = replace(SMALL, until_end=True)


@pytest.fixture(scope="module")
def server(engines, tmp_path_factory) -> Iterator[dict[str, str]]:
    with s3_server("s3proxy", tmp_path_factory.mktemp("continual")) as variables:
        yield variables


@pytest.fixture
def bucket(server) -> Iterator[ObjectStore]:
    """The models bucket of the settings, a new one for each test."""
    with settings_of(server | {"MILLRACE_MODELS_BUCKET": f"test-{uuid.uuid4().hex[:12]}"}):
        from millrace.settings import settings

        store = ObjectStore(settings().models_bucket)
        store.ensure_bucket()
        yield store


def kept(store: ObjectStore) -> CheckpointStore:
    return CheckpointStore(store, "mooc", "recommendations", "sasrec")


def by_one_process(count: int = LAST) -> Learner:
    learner = Learner(TrainingState.make_empty(SMALL, MODEL.window))
    for micro_batch in micro_batches(LOG, SMALL.batch)[:count]:
        learner.learn(*micro_batch)
    return learner


class Killer:
    """Kill -9 of workers, by their processes' ids, once each of some micro-batches has been learned."""

    def __init__(self, at: dict[int, tuple[int, ...]]):
        self.left = dict(at)

    def __call__(self, batch: int, workers) -> None:
        for rank in self.left.pop(batch, ()):
            os.kill(workers[rank].pid, signal.SIGKILL)


@pytest.fixture(autouse=True)
def _progress_is_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "millrace")


def test_killing_one_or_all_workers_changes_no_bit_and_publishes_nothing_twice(server, caplog):
    states, report = {}, {}
    for name, killer in (("calm", Killer({})), ("killed", Killer({4: (1,), 8: (0,), 14: (0, 1)}))):
        with settings_of(server | {"MILLRACE_MODELS_BUCKET": f"test-{name}-{uuid.uuid4().hex[:8]}"}):
            from millrace.settings import settings

            store = ObjectStore(settings().models_bucket)
            store.ensure_bucket()
            caplog.clear()
            result = GroupSupervisor(MOOC, MODEL, TO_THE_END, LOG, killer).run()
            sentences = list(caplog.messages)
            assert (result["batch"], result["checkpoint"], result["read"]) == (LAST, LAST, LAST * SMALL.batch)
            assert result["restarts"] == (0 if name == "calm" else 3), sentences
            states[name] = store.get(kept(store).key(LAST))[0]
            report[name] = sentences
            # Micro-batches 6 and 12 are published, each once.
            actual = Registry(store).manifests("mooc", "recommendations")
            assert sorted(one.parameters["continual"]["batch"] for one in actual) == [6, 12]
            assert all("prequential_hr@10" in one.metrics for one in actual)
            # Only what a resume needs is left.
            assert len([key for key in store.keys("continual/") if key.endswith(".state")]) == 2
            assert len(store.keys("continual/mooc/recommendations/sasrec/cuts/")) == LAST - 12
    assert states["killed"] == states["calm"]
    assert any("worker 1 was ended by signal 9; the group starts again" in line for line in report["killed"])
    assert any("goes on after micro-batch 3" in line for line in report["killed"])
    # Two workers and one see the same stream: their weights differ by dropout alone, and by no event.
    alone, group = by_one_process().state, TrainingState.from_bytes(states["calm"], "")
    assert group.progress.positions == alone.progress.positions
    assert group.progress.counts == alone.progress.counts
    assert (group.replay.kept == alone.replay.kept).all()


def test_workers_hold_equal_weights_after_each_step_and_divergence_is_detected(tmp_path):
    torch.multiprocessing.start_processes(strayed.run, (str(tmp_path),), 2, start_method="spawn")
    for rank in range(2):
        assert "Worker 1 holds another state than worker 0" in (tmp_path / f"heard-{rank}").read_text()


def test_corrupt_checkpoint_is_reported_and_set_aside_and_previous_gives_same_bits(bucket, caplog):
    checkpoints, learner = kept(bucket), Learner(TrainingState.make_empty(SMALL, MODEL.window))
    batches = micro_batches(LOG, SMALL.batch)[:6]
    for number, (made, result) in enumerate(batches, 1):
        checkpoints.journal.put(number, made)
        learner.learn(made, result)
        if number % 3 == 0:
            checkpoints.write(learner.state)
    content, etag = bucket.get(checkpoints.key(6))
    bucket.put_if_match(checkpoints.key(6), content[:-1] + bytes([content[-1] ^ 1]), etag)
    again = Learner(checkpoints.newest(SMALL))
    assert again.state.progress.batch == 3
    assert re.search(r"000006\.state has the checksum .* The checkpoint before it is used", caplog.messages[0])
    assert bucket.get(f"{checkpoints.key(6)}.corrupt")
    for number in (4, 5, 6):
        assert checkpoints.journal.get(number) == batches[number - 1][0]
        again.learn(*batches[number - 1])
    checkpoints.write(again.state)
    assert bucket.get(checkpoints.key(6))[0] == content
    for batch in (3, 6):
        bucket.put(checkpoints.key(batch), b"nothing")
    with pytest.raises(CorruptError, match=r"No checkpoint .* --fresh"):
        checkpoints.newest(SMALL)


def test_second_trainer_with_different_cut_or_state_gets_conflict(bucket):
    checkpoints, learner = kept(bucket), by_one_process(1)
    checkpoints.journal.put(1, {0: (0, 64)})
    checkpoints.journal.put(1, {0: (0, 64)})
    with pytest.raises(ConflictError, match="Let only one run"):
        checkpoints.journal.put(1, {1: (0, 64)})
    checkpoints.write(learner.state)
    learner.state.progress.hits += 1
    with pytest.raises(ConflictError, match="another state of micro-batch 1"):
        checkpoints.write(learner.state)


def test_better_version_is_promoted_and_worse_published_but_rejected_with_both_scores(bucket):
    registry = Registry(bucket)
    publisher = VersionPublisher(registry, MOOC, MODEL)
    batches = micro_batches(LOG, SMALL.batch)
    held_out = [event for _, match in batches[12:] for event in match]
    little, much = (
        by_one_process(3).state,
        Learner(TrainingState.make_empty(replace(SMALL, steps=8, rate=4e-3), MODEL.window)),
    )
    for batch in batches[:12]:
        much.learn(*batch)
    first = publisher.publish(little, [event for _, match in batches[3:5] for event in match])
    assert (first["promoted"], first["gate"][:25]) == (True, "passed: the first version")
    better = publisher.publish(much.state, held_out)
    assert better["promoted"]
    assert registry.champion("mooc", "recommendations").version == better["version"]
    assert publisher.publish(much.state, held_out)["version"] == better["version"]  # after a kill, say
    for tensor in much.state.weights.network.parameters():
        torch.nn.init.normal_(tensor.data, std=0.1)
    much.state.progress.batch += 1
    worse = publisher.publish(much.state, held_out)
    assert not worse["promoted"]
    match = re.fullmatch(
        rf"refused: NDCG@10 (0\.\d{{4}}) against (0\.\d{{4}}) of {better['version']} for the same \d+ held-out users, "
        r"margin 0\.02",
        worse["gate"],
    )
    assert float(match[1]) < float(match[2]) - 0.02
    assert float(match[2]) == pytest.approx(better["metrics"]["ndcg@10"], abs=6e-5)
    assert registry.champion("mooc", "recommendations").version == better["version"]
    manifest = registry.manifest("mooc", "recommendations", worse["version"])
    assert manifest.parameters["gate"] == worse["gate"]
    assert manifest.code_version == find_code_version()
    assert sum(last - begin + 1 for begin, last in manifest.data.offsets.values()) == 12 * SMALL.batch
    # A champion that has itself learned from the held-out events can't be compared with.
    ahead = by_one_process(LAST).state
    registry.promote("mooc", "recommendations", publisher.publish(ahead, [])["version"])
    much.state.progress.batch += 1
    assert "too few to compare" in publisher.publish(much.state, held_out)["gate"]


def test_start_loads_newest_version_and_continues_where_its_data_ends(bucket, caplog):
    registry, learner = Registry(bucket), by_one_process(6)
    state = learner.state
    assert start_state(SMALL, MOOC, MODEL, registry).progress.batch == 0
    assert "no version of sasrec" in caplog.messages[0]
    version = VersionPublisher(registry, MOOC, MODEL).publish(state, [])["version"]
    again = start_state(replace(SMALL, width=64, heads=1), MOOC, MODEL, registry)
    assert again.progress.based_on == version
    assert again.progress.positions == state.progress.positions
    assert (again.plan.width, again.plan.heads, again.plan.depth) == (16, 2, 8)
    assert again.items.texts == sorted(state.items.texts)
    for user in ("U_0", "U_3"):
        walks = [[entry.items.texts[item] for item in entry.histories.walk(user)] for entry in (again, state)]
        assert walks[0] == walks[1]
    ids = state.items.texts[:5]
    scores = []
    for entry in (again, state):
        numbers = [entry.items.numbers[item] for item in ids]
        with torch.no_grad():
            result = entry.weights.network.eval().scores(torch.tensor([numbers]))[0].numpy()
        scores.append(result[[entry.items.numbers[item] for item in state.items.texts]])
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert again.replay.seen == sum(max(len(walk) - 1, 0) for walk in state.histories.walks)
    following = micro_batches(LOG, SMALL.batch)[6]
    outcome = Learner(again).learn(*following)
    assert outcome.asked == learner.learn(*following).asked
    assert np.isfinite(outcome.loss)


def test_events_deleted_or_lost_by_kafka_stop_training_unless_gaps_are_accepted(bucket):
    kept(bucket).write(by_one_process(3).state)
    alone = replace(TO_THE_END, workers=1)
    with pytest.raises(CorruptError, match=r"partition 0 ends at offset 10; 6\d of it were read"):
        GroupSupervisor(MOOC, MODEL, alone, Listed(tuple(one[:10] for one in LOG.partitions))).run()
    late = replace(LOG, begin=100)
    with pytest.raises(CorruptError, match=r"partition 0 begins at offset 100; the next to learn from is 6\d"):
        GroupSupervisor(MOOC, MODEL, alone, late).run()
    result = GroupSupervisor(MOOC, MODEL, replace(alone, accept_gaps=True), late).run()
    assert result["batch"] == 3 + (sum(late.ends().values()) - 300) // SMALL.batch
