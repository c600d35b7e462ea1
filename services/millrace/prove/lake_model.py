"""What is right of what is stored: every event once at its position, counted once, and the last answers made of it.

The rules for answers and failures while the clients run are in model.py.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from millrace.prove.model import Finding


@dataclass(frozen=True)
class LakeRow:
    """A row of the lake: where it stood in Kafka, and what tells its event from others."""

    record_id: str
    partition: int
    offset: int
    user: str
    item: str
    at: str | None

    @property
    def identity(self) -> tuple[str, str, str | None]:
        return self.user, self.item, self.at


class Acknowledged(NamedTuple):
    """What a 202 says of an event."""

    user: str
    item: str
    record_id: str
    partition: int
    offset: int

    @property
    def position(self) -> tuple[str, int, int]:
        return self.record_id, self.partition, self.offset


class LakeFinding(NamedTuple):
    """What is not right, and the acknowledged event that it is about, where there is one."""

    finding: Finding
    event: Acknowledged | None = None


def explain_lake(
    rows: Iterable[LakeRow],
    acknowledged: Iterable[Acknowledged],
    ingested: Iterable[tuple[str, str]],
    sent: Collection[tuple[str, str]],
) -> Iterator[LakeFinding]:
    """Once: every acknowledged event has one row at its position, every row was sent, and no position stands twice.

    `ingested` are (user, item) of the rows of files whose ingest ended well; a file that was ingested twice has its
    rows twice, at positions of their own, and trainings read each once. `sent` is all that may be there.
    """
    positions: Counter[tuple[str, int, int]] = Counter()
    present: set[tuple[str, str]] = set()
    for row in rows:
        positions[row.record_id, row.partition, row.offset] += 1
        present.add((row.user, row.item))
        if (row.user, row.item) not in sent:
            yield LakeFinding(Finding("invented", f"the lake has {row}, which nobody sent"))
    by_position = {event.position: event for event in acknowledged}
    for position, event in by_position.items():
        if not positions[position]:
            yield LakeFinding(Finding("lost", f"{event} was acknowledged and is not in the lake"), event)
    for position, count in positions.items():
        if count > 1:
            sentence = f"{count} rows of the lake have record id, partition and offset {position}"
            yield LakeFinding(Finding("doubled", sentence), by_position.get(position))
    for user, item in ingested:
        if (user, item) not in present:
            yield LakeFinding(Finding("lost", f"{item} of {user} was ingested and is not in the lake"))


def explain_count(accepted: int, rows: Iterable[LakeRow]) -> Finding | None:
    """Counted once: as many events are counted as different ones are in the lake since the snapshot."""
    different = len({row.identity for row in rows})
    if accepted == different:
        return None
    return Finding("miscounted", f"{accepted} events are counted; the lake has {different} different ones")


def explain_final(user: str, items: Sequence[str], rows: Iterable[LakeRow]) -> Finding | None:
    """When all is quiet, a user's history is what the lake has of the user, in the order of the times."""
    taken = {row.identity: row for row in rows if row.user == user}
    expected = [row.item for row in sorted(taken.values(), key=lambda row: row.at or "")]
    if list(items) == expected:
        return None
    return Finding("wrong", f"{user}'s history is {list(items)} in the end; the lake has {expected}")
