"""What rank 0 does: reads, decides, writes; the others do what it shares."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import orjson

from millrace.errors import CorruptError
from millrace.neural.continual.bootstrap import start_state
from millrace.neural.continual.checkpoint import CheckpointStore
from millrace.neural.continual.event_log import EventLog, OffsetRanges, StreamEvent, read_events
from millrace.neural.continual.group import WorkerGroup
from millrace.neural.continual.learner import Learner
from millrace.neural.continual.metrics import ContinualMetrics
from millrace.neural.continual.micro_batches import next_cut
from millrace.neural.continual.plan import ContinualPlan
from millrace.neural.continual.publish import VersionPublisher
from millrace.neural.continual.state import TrainingState
from millrace.registry.registry import Registry
from millrace.registry.store import ObjectStore
from millrace.workloads import find_workload as find
from millrace.workloads.base import RecommenderModel

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.2  # seconds between two looks at the ends of the topic
WAIT_MESSAGE_INTERVAL_S = 30.0  # seconds after which the others hear of a rank 0 that waits
LEARN, COMPARE, WAIT, STOP = b"L", b"C", b"W", b"S"


@dataclass(frozen=True)
class WorkerTask:
    """What the supervisor hands to each worker. `log` opens the stream, in rank 0 alone."""

    workload: str
    model: str
    bucket: str
    plan: ContinualPlan
    log: Callable[[], EventLog]
    folder: str
    restarts: int = 0


def encode_batch(made: OffsetRanges, batch: list[StreamEvent]) -> bytes:
    """A cut and its events as bytes for the other workers."""
    return orjson.dumps([[[number, *made[number]] for number in made], [list(event) for event in batch]])


def decode_batch(content: bytes) -> tuple[OffsetRanges, list[StreamEvent]]:
    """What `encoded` was given."""
    made, batch = orjson.loads(content)
    return {number: (first, end) for number, first, end in made}, [StreamEvent(*fields) for fields in batch]


class LeadWorker:
    """Rank 0."""

    def __init__(self, task: WorkerTask, group: WorkerGroup, parent: Connection):
        self.plan, self.group, self.parent = task.plan, group, parent
        self.workload = find(task.workload)
        model = self.workload.model(task.model)
        assert isinstance(model, RecommenderModel)
        self.model, self.log = model, task.log()
        registry = Registry(ObjectStore(task.bucket))
        self.checkpoints = CheckpointStore(registry.store, task.workload, task.model, task.plan.network)
        self.metrics = ContinualMetrics(f"{task.workload}/{task.model}", task.restarts)
        self.publisher = VersionPublisher(registry, self.workload, model)
        self.ahead: deque[tuple[OffsetRanges, list[StreamEvent]]] = deque()
        self.stopping = False
        self.kept = -1
        self.ends: dict[int, int] = {}
        self.heard = time.monotonic()
        self.learner = self._begin(registry)

    def _begin(self, registry: Registry) -> Learner:
        if self.plan.fresh:
            self.checkpoints.clear()
        state = self.checkpoints.newest(self.plan)
        if state is None:
            state = start_state(self.plan, self.workload, self.model, registry)
        else:
            self.kept = state.progress.batch
            log.info("goes on after micro-batch %s, prequential HR@10 %.4f", self.kept, state.progress.hr())
        self.positions = {int(number): place for number, place in state.progress.positions.items()}
        self._check_positions()
        self.parent.send(("begun", {"batch": state.progress.batch}))
        # Rank 0 too goes on from the bytes, so that all begin with the same.
        content = self.group.share(state.to_bytes())
        return Learner(TrainingState.from_bytes(content, "the first state"), self.group)

    def _check_positions(self) -> None:
        """Raises CorruptError where events were lost between what was learned and what the topic still holds."""
        begins = self.log.begins()
        for number, first in begins.items():
            position = self.positions.setdefault(number, first)
            if position < first and not self.plan.accept_gaps:
                command = f"millrace train {self.workload.name} --network {self.plan.network}"
                raise CorruptError(
                    f"{self.workload.records_topic} partition {number} begins at offset {first}; the next to learn "
                    f"from is {position}. What lies between is gone from Kafka. `{command}` reads it from the lake, "
                    "then --fresh goes on from there; --accept-gaps skips it.",
                    code="offset_gap",
                    field=str(number),
                )
            self.positions[number] = max(position, first)
        self._check_ends(self.positions)

    def _check_ends(self, positions: dict[int, int]) -> None:
        """Raises CorruptError where the topic ends before the offsets that it once had."""
        self.ends = self.log.ends()
        for number, position in positions.items():
            if position > (end := self.ends.get(number, 0)):
                raise CorruptError(
                    f"{self.workload.records_topic} partition {number} ends at offset {end}; {position} of it were "
                    "read before. It is another topic, or it lost records; --fresh starts over.",
                    code="offset_loss",
                    field=str(number),
                )

    def run(self) -> None:
        progress, plan = self.learner.state.progress, self.plan
        published = progress.batch if progress.batch == 0 else None
        while not self.stopping:
            if progress.batch % plan.every == 0 and published != progress.batch:
                self._publish()
                published = progress.batch
                continue
            if (micro_batch := self._next_batch()) is None:
                break
            self.group.share(LEARN + encode_batch(*micro_batch))
            outcome = self.learner.learn(*micro_batch)
            self.heard = time.monotonic()
            lag = max(
                0, sum(end - progress.positions.get(str(micro_batch), 0) for micro_batch, end in self.ends.items())
            )
            self.metrics.record_batch(self.learner.state, outcome, lag)
            self.parent.send(
                ("learned", {"batch": progress.batch, "hr@10": progress.hr(), "loss": outcome.loss, "lag": lag})
            )
            if progress.batch % plan.checkpoint == 0:
                self._write_checkpoint()
            self._listen()
        self._write_checkpoint()
        self.group.share(STOP)
        self.parent.send(("ended", {"batch": progress.batch, **progress.counts, "hr@10": progress.hr()}))

    def _listen(self) -> None:
        """Whether the supervisor wants an end."""
        while self.parent.poll():
            self.stopping = self.parent.recv() == "stop" or self.stopping

    def _read(self) -> tuple[OffsetRanges, list[StreamEvent]] | None:
        """The micro-batch behind all that was read, once it is full; None at the end, or when it is to stop."""
        number = self.learner.state.progress.batch + len(self.ahead) + 1
        made = self.checkpoints.journal.get(number)
        if made is not None:
            self._check_ends({partition: end for partition, (_, end) in made.items()})
        while made is None:
            self.ends = self.log.ends()
            made = next_cut(self.positions, self.ends, self.plan.batch)
            if made is not None:
                self.checkpoints.journal.put(number, made)
                break
            self._listen()
            if self.stopping or self.plan.until_end:
                return None
            if time.monotonic() - self.heard > WAIT_MESSAGE_INTERVAL_S:
                self.group.share(WAIT)
                self.heard = time.monotonic()
            time.sleep(POLL_INTERVAL_S)
        batch = read_events(self.log.read(made), self.model)
        self.positions |= {number: end for number, (_, end) in made.items()}
        return made, batch

    def _next_batch(self) -> tuple[OffsetRanges, list[StreamEvent]] | None:
        return self.ahead.popleft() if self.ahead else self._read()

    def _write_checkpoint(self) -> None:
        """A checkpoint, once all workers have shown that they hold the same."""
        batch = self.learner.state.progress.batch
        if batch == self.kept:
            return
        self.group.share(COMPARE)
        self.group.insist_on_equal(self.learner.checksum(), "state")
        size = self.checkpoints.write(self.learner.state)
        self.kept = batch
        self.metrics.record_checkpoint(batch)
        self.parent.send(("kept", {"batch": batch, "bytes": size}))

    def _publish(self) -> None:
        """Read on as far as the gate needs, judge, publish; only then are those events learned from."""
        while len(self.ahead) < self.plan.ahead:
            micro_batch = self._read()
            if micro_batch is None:
                if not self.stopping:
                    log.info("no version here: the stream ends before there are enough events to judge it on")
                return
            self.ahead.append(micro_batch)
        held_out = [event for _, batch in self.ahead for event in batch]
        done: dict[str, Any] = self.publisher.publish(self.learner.state, held_out)
        self.metrics.record_verdict(done["promoted"])
        self.parent.send(("published", done))
