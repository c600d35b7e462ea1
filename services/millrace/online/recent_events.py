"""A user's tail: the events since the snapshot, in the order of training, and what they add to the counts.

The order is by time, then by arrival; an event without a time stands where the one stands that came before it from the
same user, and before all others of the tail where there is none. So the sequence, and with it what is counted, follows
from the set of events alone: not from the order in which partitions were read.
"""

from bisect import insort
from dataclasses import dataclass, field
from typing import NamedTuple

from millrace.recommend.markov import MAX_STEPS_AHEAD

Arrival = tuple[int, int, int]
"""Kafka's timestamp in milliseconds, partition, offset."""


class TailEvent(NamedTuple):
    """`item` is a number, or the id of an item that the version does not know; `at` in seconds, None if unknown."""

    arrival: Arrival
    item: int | str
    at: float | None


class PlacedEvent(NamedTuple):
    """An event at its place; they sort into the sequence."""

    timed: bool
    since: float
    arrival: Arrival
    item: int | str

    @property
    def time(self) -> float | None:
        return self.since if self.timed else None


@dataclass
class RecentEvents:
    """`before` are the newest items of the snapshot's history, AHEAD at most: what new ones can follow."""

    before: list[int]
    events: list[TailEvent] = field(default_factory=list)
    """In order of arrival."""
    sequence: list[PlacedEvent] = field(default_factory=list)
    _last: float | None = None

    def add(self, event: TailEvent, instead_of: TailEvent | None = None) -> tuple[int, list[PlacedEvent]]:
        """Take an event up; where the sequence changes from, and what it was from there on."""
        if instead_of is None and (not self.events or event.arrival > self.events[-1].arrival):
            since = self._last if event.at is None else event.at
            placed = _place(event, since)
            if not self.sequence or placed > self.sequence[-1]:
                self.events.append(event)
                self.sequence.append(placed)
                self._last = since
                return len(self.sequence) - 1, []
        if instead_of is not None:
            self.events.remove(instead_of)
        insort(self.events, event, key=lambda known: known.arrival)
        old, self.sequence = self.sequence, self._sort()
        first = next(
            (index for index, (a, b) in enumerate(zip(old, self.sequence, strict=False)) if a != b),
            min(len(old), len(self.sequence)),
        )
        return first, old[first:]

    def _sort(self) -> list[PlacedEvent]:
        placed, last = [], None
        for event in self.events:
            last = last if event.at is None else event.at
            placed.append(_place(event, last))
        self._last = last
        return sorted(placed)

    def items_before(self, index: int) -> list[int | str]:
        """The AHEAD items, at most, before a place of the sequence, the nearest first."""
        own = [event.item for event in self.sequence[max(0, index - MAX_STEPS_AHEAD) : index]]
        return ([*self.before, *own][-MAX_STEPS_AHEAD:] if len(own) < MAX_STEPS_AHEAD else own)[::-1]


def _place(event: TailEvent, since: float | None) -> PlacedEvent:
    return PlacedEvent(since is not None, since or 0.0, event.arrival, event.item)
