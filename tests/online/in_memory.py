"""The simplest form of the fold: every event in Python's own objects, every tail sorted anew. It says what is right."""

from bisect import insort
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from millrace.online import deltas
from millrace.online.event_table import Arrival
from millrace.online.version_base import VersionBase
from millrace.recommend.markov import MAX_STEPS_AHEAD
from millrace.records.identity import contains, record_hash
from millrace.records.times import plausible_seconds
from millrace.workloads.base import ANONYMOUS


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


class InMemoryCounts:
    """`add` events in any order; all of them stay in memory."""

    def __init__(self, base: VersionBase):
        self.base = base
        self.accepted = 0
        """Events that count; `repeated` were seen before, `unlinked` name an item that the version does not know."""
        self.repeated = 0
        self.unlinked = 0
        self.tails: dict[str, RecentEvents] = {}
        self.columns: dict[tuple[int, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        """(item, block of rows) -> row -> units that were added to the transitions from row to item."""
        self.popular: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        """Item -> events in popularity's window, and events at all."""
        self._events: dict[int, tuple[str, TailEvent]] = {}

    def add(self, record: Mapping[str, Any], arrival: Arrival) -> bool:
        """Whether a checked record is an event that was not there yet."""
        key = record_hash(record, self.base.workload.identity)
        known = self._events.get(key)
        if known is None and contains(self.base.seen, key):
            self.repeated += 1
            return False
        if known is not None:
            self.repeated += 1
            # Of the same events the one counts that came first, which is not always the one that is read first.
            if arrival < known[1].arrival:
                at = plausible_seconds(record[self.base.model.time], arrival[0])
                user, event = known[0], known[1]._replace(arrival=arrival, at=at)
                self._events[key] = user, event
                self._replace_event(user, event, known[1])
            return False
        model = self.base.model
        user = record[model.user]
        if user is None:
            user = ANONYMOUS + (str(record[model.session]) if model.session else "")
        item = self.base.items.get(record[model.item], record[model.item])
        self.unlinked += isinstance(item, str)
        event = TailEvent(arrival, item, plausible_seconds(record[model.time], arrival[0]))
        self._events[key] = user, event
        self.accepted += 1
        self._replace_event(user, event, None)
        return True

    def _replace_event(self, user: str, event: TailEvent, instead_of: TailEvent | None) -> None:
        tail = self.tails.get(user)
        if tail is None:
            tail = self.tails[user] = RecentEvents([] if user.startswith(ANONYMOUS) else self.base.newest(user))
        first, old = tail.add(event, instead_of)
        new = tail.sequence
        if old:
            tail.sequence = new[:first] + old
            self._count(tail, first, -1)
            tail.sequence = new
        self._count(tail, first, 1)

    def _count(self, tail: RecentEvents, first: int, sign: int) -> None:
        """Add, or take away, what the events from a place of the sequence on say."""
        linked = self.base.live.share is not None
        for index in range(first, len(tail.sequence)):
            event = tail.sequence[index]
            if isinstance(event.item, str):
                continue
            self._popular(event.item, event.time, sign)
            units = self.base.live.units(event.time)
            for distance, before in enumerate(tail.items_before(index) if linked else (), start=1):
                if isinstance(before, str):
                    continue
                block = before // deltas.BLOCK_ITEMS
                self.columns[event.item, block][before] += sign * round(units / distance)

    def _popular(self, item: int, time: float | None, sign: int) -> None:
        counts, since = self.popular[item], self.base.live.since
        # One without a time has come after the snapshot, and so within the window.
        counts[0] += sign * (since is None or time is None or time > since)
        counts[1] += sign

    def state(self) -> tuple[dict, dict, dict]:
        """What `tests.online.test_fold.state` gives: cells by row, items by user, popularity by item."""
        rows: dict[int, dict[int, int]] = defaultdict(dict)
        for (item, _), cells in self.columns.items():
            for row, units in cells.items():
                if units:
                    rows[row][item] = units
        users = {
            user: [event.item for event in tail.sequence][-deltas.MAX_TAIL_ITEMS :]
            for user, tail in self.tails.items()
            if not user.startswith(ANONYMOUS)
        }
        return dict(rows), users, {item: counts for item, counts in self.popular.items() if any(counts)}
