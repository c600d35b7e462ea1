"""The events since the snapshot, by user in the order of training, in a scratch database.

The order is by time, then by arrival; an event without a time stands where the one stands that came before it from the
same user, and before all others of the user where there is none. So the sequence, and with it what is counted, follows
from the set of events alone: not from the order in which partitions were read.

Memory does not grow with the events: of the users seen last, the end of the sequence is held; all else is in the
database. An event that comes late is put into its place, and only its neighbours are looked at.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from millrace.online.event_table import FIRST, Arrival, EventTable, Place, RecentEvent, StoredEvent, hash_user
from millrace.recommend.markov import MAX_STEPS_AHEAD
from millrace.workloads.base import ANONYMOUS


class SequenceChange(NamedTuple):
    """An event that was put into a user's sequence (`sign` 1), or taken out of it (-1).

    `before` are the items in front of it, the nearest first; `after` is (since, item) of those behind it.
    """

    sign: int
    before: Sequence[int]
    since: float
    item: int
    after: Sequence[tuple[float, int]] = ()


@dataclass(slots=True)
class SequenceEnd:
    """What a user's next event is likely to need; all of it can be read from the database again."""

    user: int
    history: list[int]
    """The newest items of the snapshot's history, the nearest first."""
    position: Place | None = None
    """Of the last event; None while there is none."""
    items: list[int] = field(default_factory=list)
    """The last items, the nearest first, those of the history included."""
    has_untimed: bool = False
    newest: Arrival | None = None
    """The last arrival, and the time at whose place it stands; None: not known."""
    since: float = FIRST


class RecentEvents:
    """`history` gives the newest items of a user's snapshot, oldest first; of `users` the ends are held in memory.

    Where `linked` is false, nobody asks what stands before and after an event.
    """

    def __init__(self, table: EventTable, history: Callable[[str], list[int]], users: int, linked: bool = True):
        self._table, self._history, self._users = table, history, users
        self._near = MAX_STEPS_AHEAD if linked else 0
        self._ends: OrderedDict[str, SequenceEnd] = OrderedDict()

    def add(self, user: str, event: RecentEvent) -> Iterator[SequenceChange]:
        """Take up an event that is new. It is done when the iterator is exhausted."""
        end = self._end(user)
        since = event.at
        if since is None or end.has_untimed:
            if end.position is not None and (end.newest is None or event.arrival < end.newest):
                yield from self._add_late(end, event)
                return
            since = end.since if since is None else since
        position = (since, *event.arrival)
        if end.position is not None and position < end.position:
            yield from self._add_late(end, event)
            return
        self._table.insert(end.user, since, event)
        yield SequenceChange(1, end.items, since, event.item)
        end.items = [event.item, *end.items[: MAX_STEPS_AHEAD - 1]]
        if (end.position is None) or (end.newest is not None and event.arrival > end.newest):
            end.newest, end.since = event.arrival, since
        end.position = position
        end.has_untimed |= event.at is None

    def replace(self, user: str, known: StoredEvent, event: RecentEvent) -> Iterator[SequenceChange]:
        """The same event has another arrival. It is done when the iterator is exhausted."""
        end = self._end(user)
        yield self._take_out(known, end)
        if known.timed:
            yield from self._realign(end, known.arrival)
        yield from self._add_late(end, event)

    def _add_late(self, end: SequenceEnd, event: RecentEvent) -> Iterator[SequenceChange]:
        """Put an event into its place, wherever that is, and those that stand behind it for want of a time."""
        since = self._table.time_at(end.user, event.arrival) if event.at is None else event.at
        yield self._put_in(end, since, event)
        if event.at is not None:
            yield from self._realign(end, event.arrival)
        self._read_end(end)

    def _realign(self, end: SequenceEnd, arrival: Arrival) -> Iterator[SequenceChange]:
        """Move the events without a time that arrived after this, and before the next with one, to where they belong.

        Called where an event with a time has come to that arrival, or has left it.
        """
        if not self._table.has_untimed(end.user):
            return
        since = self._table.time_at(end.user, arrival)
        while events := self._table.find_misplaced(end.user, since, arrival):
            for event in events:
                yield self._take_out(event, end)
                yield self._put_in(end, since, RecentEvent(event.hash, event.arrival, event.item, None))

    def _put_in(self, end: SequenceEnd, since: float, event: RecentEvent) -> SequenceChange:
        change = self._describe(1, end, (since, *event.arrival), event.item)
        self._table.insert(end.user, since, event)
        return change

    def _take_out(self, event: StoredEvent, end: SequenceEnd) -> SequenceChange:
        self._table.delete(event.hash)
        return self._describe(-1, end, event.position, event.item)

    def _describe(self, sign: int, end: SequenceEnd, position: Place, item: int) -> SequenceChange:
        """What stands around a place where no event is."""
        before = [*self._table.items_before(end.user, position, self._near), *end.history][: self._near]
        return SequenceChange(sign, before, position[0], item, self._table.events_after(end.user, position, self._near))

    def _end(self, user: str) -> SequenceEnd:
        """The end of the user's sequence; that of the user who was seen least lately is forgotten for it."""
        end = self._ends.get(user)
        if end is None:
            history = [] if user.startswith(ANONYMOUS) else self._history(user)[::-1]
            end = self._ends[user] = SequenceEnd(hash_user(user), history)
            self._read_end(end)
            if len(self._ends) > self._users:
                self._ends.popitem(last=False)
        else:
            self._ends.move_to_end(user)
        return end

    def _read_end(self, end: SequenceEnd) -> None:
        rows = self._table.newest(end.user, MAX_STEPS_AHEAD)
        end.position = rows[0][:4] if rows else None
        end.items = [*(row[4] for row in rows), *end.history][:MAX_STEPS_AHEAD]
        end.has_untimed = bool(rows) and self._table.has_untimed(end.user)
        end.newest, end.since = self._table.last_arrival(end.user) if end.has_untimed else (None, FIRST)
