"""The events since a version's snapshot, folded into what they add to it: whole numbers, the same in every order."""

import weakref
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from millrace.online import deltas
from millrace.online.column_sums import ChangedKeys, ColumnSums
from millrace.online.event_table import FIRST, Arrival, EventTable, RecentEvent, StoredEvent, hash_user
from millrace.online.recent_events import RecentEvents, SequenceChange
from millrace.online.scratch import ScratchFolder, connect, discard
from millrace.online.version_base import VersionBase
from millrace.recommend.markov import MAX_STEPS_AHEAD
from millrace.records.identity import contains, record_hash
from millrace.records.times import plausible_seconds
from millrace.workloads.base import ANONYMOUS

ROOM_CHECK_EVENTS = 1000  # events between two looks at how much of the disk is used


@dataclass(frozen=True)
class WorkingSet:
    """What a version's counts hold in memory, some 60 MB with these sizes; the scratch database holds the rest."""

    cache_bytes: int = 32 << 20
    """Pages of the database."""
    users: int = 20_000
    """Users of whom the end of the sequence is held; some 600 bytes each."""
    cells: int = 100_000
    """Cells that gather before they are written; some 120 bytes each."""
    changes: int = 50_000
    """Users, and blocks of columns, that were changed and not published yet."""


class EventCounts:
    """`add` events in any order; `messages` gives what has changed since the last time.

    State that follows the number of events is in a file of `scratch`; without one it is in memory. After an error of
    SCRATCH_ERRORS the object is of no more use.
    """

    def __init__(self, base: VersionBase, scratch: ScratchFolder | None = None, sizes: WorkingSet = WorkingSet()):
        self.base, self._scratch = base, scratch
        self.accepted = 0
        """Events that count; `repeated` were seen before, `unlinked` name an item that the version does not know."""
        self.repeated = 0
        self.unlinked = 0
        file = None if scratch is None else scratch.make_file()
        self._database = connect(file, sizes.cache_bytes)
        self._finalizer = weakref.finalize(self, discard, self._database, file)
        self._linked = base.live.share is not None
        self._table = EventTable(self._database)
        self._events = RecentEvents(self._table, base.newest, sizes.users, self._linked)
        self._sums = ColumnSums(self._database, len(base.items), sizes.cells, sizes.changes)
        self._users: ChangedKeys[str] = ChangedKeys(self._database, "changed_users", sizes.changes)
        nothing = bytes(8 * len(base.items))
        self._lately, self._whole = array("q", nothing), array("q", nothing)
        self._popular_changed: set[int] = set()  # blocks of items
        self._shares = split_units(base.live.scale)
        self._until_check = ROOM_CHECK_EVENTS

    def close(self) -> None:
        """Give the memory and the disk back."""
        self._finalizer()

    def add(self, record: Mapping[str, Any], arrival: Arrival) -> bool:
        """Whether a checked record is an event that was not there yet.

        Raises one of SCRATCH_ERRORS where the disk is full.
        """
        self._check_room()
        model = self.base.model
        identity = record_hash(record, self.base.workload.identity)
        number = identity - (1 << 64) if identity >> 63 else identity  # SQLite's integers are signed
        known = self._table.find(number)
        if known is not None or contains(self.base.seen, identity):
            self.repeated += 1
            # Of the same events the one counts that came first, which is not always the one that is read first.
            if known is not None and arrival < known.arrival:
                self._replace(record, known, arrival)
            return False
        item = self.base.items.get(record[model.item])
        if item is None:
            item = self._table.number_unlinked(record[model.item])
            self.unlinked += 1
        event = RecentEvent(number, arrival, item, plausible_seconds(record[model.time], arrival[0]))
        user = self._name_user(record)
        self._count(user, self._events.add(user, event))
        self.accepted += 1
        return True

    def _check_room(self) -> None:
        self._until_check -= 1
        if self._scratch is not None and not self._until_check:
            self._scratch.check_room()
            self._until_check = ROOM_CHECK_EVENTS

    def _name_user(self, record: Mapping[str, Any]) -> str:
        model = self.base.model
        user = record[model.user]
        return user if user is not None else ANONYMOUS + (str(record[model.session]) if model.session else "")

    def _replace(self, record: Mapping[str, Any], known: StoredEvent, arrival: Arrival) -> None:
        user = self._name_user(record)
        if hash_user(user) != known.user:
            return  # the identity says nothing of the user, and whose event it was is not known by name
        at = plausible_seconds(record[self.base.model.time], arrival[0])
        event = RecentEvent(known.hash, arrival, known.item, at)
        self._count(user, self._events.replace(user, known, event))

    def _count(self, user: str, changes: Iterator[SequenceChange]) -> None:
        for change in changes:
            self._count_popular(change)
            if self._linked:
                self._count_links(change, self._sums.gather())
        if not user.startswith(ANONYMOUS):
            self._users.add(user)

    def _count_popular(self, change: SequenceChange) -> None:
        if change.item < 0:
            return
        since, time = self.base.live.since, change.since
        # One without a time has come after the snapshot, and so within the window.
        self._lately[change.item] += change.sign * (since is None or time == FIRST or time > since)
        self._whole[change.item] += change.sign
        self._popular_changed.add(change.item // deltas.POPULAR_BLOCK_ITEMS)

    def _count_links(self, change: SequenceChange, cells: dict[int, int]) -> None:
        """What the event adds behind those before it, and in front of those after it, which it moves apart."""
        width, sign, before, item = self._sums.column_cells, change.sign, change.before, change.item
        if item >= 0:
            start = item * width
            for row, share in zip(before, self._split(change.since), strict=False):
                if row >= 0:
                    cells[start + row] += sign * share
        for distance, (since, later) in enumerate(change.after):
            if later < 0:
                continue
            shares, start = self._split(since), later * width
            if item >= 0:
                cells[start + item] += sign * shares[distance]
            # Each stood a place nearer without the event; the farthest goes out of reach.
            for row, (nearer, farther) in zip(before, pairwise((*shares[distance:], 0)), strict=False):
                if row >= 0:
                    cells[start + row] += sign * (farther - nearer)

    def _split(self, since: float) -> tuple[int, ...]:
        units = self.base.live.units(None if since == FIRST else since)
        return self._shares if units == self.base.live.scale else split_units(units)

    @property
    def changed(self) -> bool:
        """Whether there is more to publish than popularity, which has time."""
        return bool(self._users) or self._sums.has_changed

    def tail(self, user: str) -> list[tuple[float | None, int | str]]:
        """(time, item) of the user's events, oldest first."""
        return [(None if since == FIRST else since, item) for since, item in self._table.tail(user)]

    def cells(self, item: int, block: int = 0) -> dict[int, int]:
        """Row -> units that were added to the transitions from the rows of a block to an item."""
        return self._sums.read(item, block)

    def popularity(self, item: int) -> tuple[int, int]:
        """Events of an item that were added in popularity's window, and of all time."""
        return self._lately[item], self._whole[item]

    def messages(self, popular: bool = True) -> Iterator[tuple[str, bytes]]:
        """Key and value of all that has changed since it was published, with popularity where it is wanted.

        They are made while they are asked for; nothing may be added meanwhile.
        """
        prefix = deltas.version_prefix(self.base.model.name, self.base.version)
        for user in self._users:
            tail = self._table.tail(user, deltas.MAX_TAIL_ITEMS)
            yield deltas.user_message(prefix, user, [item for _, item in tail])
        for item, block in self._sums.changed_blocks():
            yield deltas.column_message(prefix, item, block, self._sums.read(item, block))
        for block in self._popular_changed if popular else ():
            yield deltas.popularity_message(prefix, block, self._popular_of(block))

    def _popular_of(self, block: int) -> dict[int, tuple[int, int]]:
        """Item -> counts, of a block of items, without those that nothing was added to."""
        first = block * deltas.POPULAR_BLOCK_ITEMS
        items = range(first, min(first + deltas.POPULAR_BLOCK_ITEMS, len(self._whole)))
        return {item: counts for item in items if any(counts := self.popularity(item))}

    def mark_changed(self, kind: str, name: str) -> bool:
        """Give the message of a key once more; False where nothing was counted under it."""
        if kind == "user":
            there = not name.startswith(ANONYMOUS) and bool(self._table.tail(name, 1))
            if there:
                self._users.add(name)
            return there
        numbers = [int(number) for number in name.split(".") if number.isdecimal()]
        if kind == "column" and len(numbers) == 2:
            return self._sums.mark_changed(*numbers)
        if kind == "popular" and len(numbers) == 1 and self._popular_of(numbers[0]):
            self._popular_changed.add(numbers[0])
            return True
        return False

    def mark_published(self, popular: bool = True) -> None:
        """The messages have arrived where they should."""
        self._users.clear()
        self._sums.mark_published()
        if popular:
            self._popular_changed.clear()


def split_units(units: float) -> tuple[int, ...]:
    """What an event adds to the transitions from those before it, by their distance."""
    return tuple(round(units / distance) for distance in range(1, MAX_STEPS_AHEAD + 1))
