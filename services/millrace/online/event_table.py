"""The table of the events since the snapshot in a scratch database, and the questions that are asked of it."""

import math
import sqlite3
from hashlib import blake2b
from typing import NamedTuple

Arrival = tuple[int, int, int]
"""Kafka's timestamp in milliseconds, partition, offset."""
Place = tuple[float, int, int, int]
"""Seconds, or FIRST, and the arrival: the order of a user's events."""
FIRST = -math.inf
"""In place of a time: without one, and with none before it."""
LAST_ARRIVAL: Arrival = (1 << 62, 0, 0)
MISPLACED_ROWS = 256  # rows of `misplaced` at a time

SCHEMA = """
CREATE TABLE events (
    hash INTEGER PRIMARY KEY, user INTEGER, since REAL, ts INTEGER, part INTEGER, off INTEGER, item INTEGER,
    timed INTEGER);
CREATE UNIQUE INDEX places ON events (user, since, ts, part, off, item, timed);
CREATE INDEX untimed ON events (user) WHERE timed = 0;
CREATE TABLE unlinked (number INTEGER PRIMARY KEY, id TEXT UNIQUE)
"""
FIND = "SELECT user, since, ts, part, off, item, timed FROM events WHERE hash = ?"
INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
DELETE = "DELETE FROM events WHERE hash = ?"
NEWEST_FIRST = "ORDER BY since DESC, ts DESC, part DESC, off DESC LIMIT ?"
TAIL = f"SELECT since, ts, part, off, item FROM events WHERE user = ? {NEWEST_FIRST}"
BEFORE = f"SELECT item FROM events WHERE user = ? AND (since, ts, part, off) < (?, ?, ?, ?) {NEWEST_FIRST}"
AFTER = (
    "SELECT since, item FROM events WHERE user = ? AND (since, ts, part, off) > (?, ?, ?, ?) "
    "ORDER BY since, ts, part, off LIMIT ?"
)
LAST_TIMED = (
    "SELECT since FROM events WHERE user = ? AND timed = 1 AND (ts, part, off) <= (?, ?, ?) "
    "ORDER BY ts DESC, part DESC, off DESC LIMIT 1"
)
NEXT_TIMED = (
    "SELECT ts, part, off FROM events WHERE user = ? AND timed = 1 AND (ts, part, off) > (?, ?, ?) "
    "ORDER BY ts, part, off LIMIT 1"
)
HAS_UNTIMED = "SELECT 1 FROM events WHERE user = ? AND timed = 0 LIMIT 1"
LAST_ARRIVED = "SELECT ts, part, off, since FROM events WHERE user = ? ORDER BY ts DESC, part DESC, off DESC LIMIT 1"
MISPLACED = (
    "SELECT hash, user, since, ts, part, off, item, timed FROM events WHERE user = ? AND timed = 0 AND since != ? "
    f"AND (ts, part, off) > (?, ?, ?) AND (ts, part, off) < (?, ?, ?) LIMIT {MISPLACED_ROWS}"
)


class RecentEvent(NamedTuple):
    """`hash` of its identity, signed; `item` its number, below 0 if the version does not know it; `at` in seconds."""

    hash: int
    arrival: Arrival
    item: int
    at: float | None


class StoredEvent(NamedTuple):
    """A row of the database; `since` is the time at whose place it stands, its own if it is `timed`."""

    hash: int
    user: int
    since: float
    ts: int
    part: int
    off: int
    item: int
    timed: int

    @property
    def position(self) -> Place:
        return self.since, self.ts, self.part, self.off

    @property
    def arrival(self) -> Arrival:
        return self.ts, self.part, self.off


class EventTable:
    """One row for each event. Users are known by their hashes; see `hash_user`."""

    def __init__(self, database: sqlite3.Connection):
        self._database = database
        for statement in SCHEMA.split(";"):
            database.execute(statement)

    def find(self, number: int) -> StoredEvent | None:
        """The event of a hash."""
        row = self._database.execute(FIND, (number,)).fetchone()
        return None if row is None else StoredEvent(number, *row)

    def insert(self, user: int, since: float, event: RecentEvent) -> None:
        """Add an event of a user at the place of a time."""
        row = (event.hash, user, since, *event.arrival, event.item, event.at is not None)
        self._database.execute(INSERT, row)

    def delete(self, number: int) -> None:
        """Remove the event of a hash."""
        self._database.execute(DELETE, (number,))

    def number_unlinked(self, item: str) -> int:
        """The number, below 0, of an item that the version does not know."""
        known = self._database.execute("SELECT number FROM unlinked WHERE id = ?", (item,)).fetchone()
        if known is None:
            return -(self._database.execute("INSERT INTO unlinked (id) VALUES (?)", (item,)).lastrowid or 0)
        return -known[0]

    def tail(self, user: str, limit: int = -1) -> list[tuple[float, int | str]]:
        """(since, item) of the user's newest events, all by default, oldest first; an unknown item by its id."""
        rows = self.newest(hash_user(user), limit)
        return [(row[0], row[4] if row[4] >= 0 else self._unlinked_id(row[4])) for row in reversed(rows)]

    def _unlinked_id(self, item: int) -> str:
        return self._database.execute("SELECT id FROM unlinked WHERE number = ?", (-item,)).fetchone()[0]

    def newest(self, user: int, limit: int) -> list[tuple[float, int, int, int, int]]:
        """Place and item of a user's last events, the last first."""
        return self._database.execute(TAIL, (user, limit)).fetchall()

    def items_before(self, user: int, position: Place, limit: int) -> list[int]:
        """The items of a user before a place, the nearest first."""
        return [item for (item,) in self._database.execute(BEFORE, (user, *position, limit))]

    def events_after(self, user: int, position: Place, limit: int) -> list[tuple[float, int]]:
        """(since, item) of a user after a place, the nearest first."""
        return self._database.execute(AFTER, (user, *position, limit)).fetchall()

    def has_untimed(self, user: int) -> bool:
        """Whether a user has an event without a time."""
        return self._database.execute(HAS_UNTIMED, (user,)).fetchone() is not None

    def last_arrival(self, user: int) -> tuple[Arrival, float]:
        """When the last event of a user arrived, who has some, and the time at whose place it stands."""
        ts, part, off, since = self._database.execute(LAST_ARRIVED, (user,)).fetchone()
        return (ts, part, off), since

    def time_at(self, user: int, arrival: Arrival) -> float:
        """The time of the last event that has one and arrived by then; FIRST where there is none."""
        row = self._database.execute(LAST_TIMED, (user, *arrival)).fetchone()
        return FIRST if row is None else row[0]

    def find_misplaced(self, user: int, since: float, arrival: Arrival) -> list[StoredEvent]:
        """Some events without a time that do not stand at `since`.

        Of those that arrived after `arrival` and before the next event with a time.
        """
        until = self._database.execute(NEXT_TIMED, (user, *arrival)).fetchone() or LAST_ARRIVAL
        rows = self._database.execute(MISPLACED, (user, since, *arrival, *until)).fetchall()
        return [StoredEvent(*row) for row in rows]


def hash_user(user: str) -> int:
    """8 bytes, signed, in place of a name of any length; two different users share one in 10 ** 19 pairs."""
    return int.from_bytes(blake2b(user.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)
