"""A stream in memory that worker 0 of a group can be handed, and its events."""

import random
from dataclasses import dataclass

import orjson

from millrace.messaging.reader import Message
from millrace.neural.continual.event_log import OffsetRanges, StreamEvent, read_events
from millrace.neural.continual.plan import ContinualPlan
from millrace.workloads import find_workload

MOOC = find_workload("mooc")
MODEL = MOOC.recommenders[0]
SMALL = ContinualPlan(
    width=16, depth=8, batch=64, steps=2, replay=32, buffer=200, checkpoint=3, publish=384, held_out=128, seed=4
)


@dataclass(frozen=True)
class Listed:
    """A log of these messages by partition, of which those before `begin` are gone; called, it opens itself."""

    partitions: tuple[tuple[Message, ...], ...]
    begin: int = 0

    def __call__(self) -> "Listed":
        return self

    def begins(self) -> dict[int, int]:
        return dict.fromkeys(range(len(self.partitions)), self.begin)

    def ends(self) -> dict[int, int]:
        return {number: len(held) for number, held in enumerate(self.partitions)}

    def read(self, cut: OffsetRanges) -> list[Message]:
        return [message for number in sorted(cut) for message in self.partitions[number][slice(*cut[number])]]


def stream(count: int, partitions: int = 3, seed: int = 1) -> Listed:
    """Generated enrolments in the order of time, each student's in one partition."""
    result: list[list[Message]] = [[] for _ in range(partitions)]
    rows = [row for row in MOOC.generate(random.Random(seed), 2 * count) if row["user_id"].strip() and row["course_id"]]
    for number, row in enumerate(rows[:count]):
        part = int(row["user_id"][2:]) % partitions
        value = orjson.dumps({**row, "enrolled_at": None})
        result[part].append(Message(part, len(result[part]), 1_700_000_000_000 + number, None, value, {}))
    return Listed(tuple(tuple(one) for one in result))


def micro_batches(log: Listed, size: int) -> list[tuple[OffsetRanges, list[StreamEvent]]]:
    """The stream as one that is all there is cut."""
    from millrace.neural.continual.micro_batches import next_cut

    positions, result = log.begins(), []
    while (made := next_cut(positions, log.ends(), size)) is not None:
        result.append((made, read_events(log.read(made), MODEL)))
        positions |= {number: end for number, (_, end) in made.items()}
    return result
