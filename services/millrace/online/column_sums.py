"""What events add to the columns of the transitions, as whole units, in a scratch database."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Generic, TypeVar

from millrace.online.deltas import BLOCK_ITEMS

Key = TypeVar("Key", int, str)
ADD = "INSERT INTO cells VALUES (?, ?) ON CONFLICT (cell) DO UPDATE SET units = units + excluded.units"
READ = "SELECT cell, units FROM cells WHERE cell >= ? AND cell < ? AND units != 0"


class ChangedKeys(Generic[Key]):
    """A set of keys, of which at most `limit` are held in memory; `table` takes the others."""

    def __init__(self, database: sqlite3.Connection, table: str, limit: int):
        self._database, self._table, self._limit = database, table, limit
        self._held: set[Key] = set()
        self._spilled = False
        database.execute(f"CREATE TABLE {table} (key PRIMARY KEY) WITHOUT ROWID")

    def __bool__(self) -> bool:
        return bool(self._held) or self._spilled

    def __iter__(self) -> Iterator[Key]:
        if not self._spilled:
            yield from self._held
            return
        self._spill()
        for (key,) in self._database.execute(f"SELECT key FROM {self._table}"):
            yield key

    def add(self, key: Key) -> None:
        """Take a key up."""
        self._held.add(key)
        if len(self._held) > self._limit:
            self._spill()

    def _spill(self) -> None:
        keys = ((key,) for key in self._held)
        self._database.executemany(f"INSERT OR IGNORE INTO {self._table} VALUES (?)", keys)
        self._held.clear()
        self._spilled = True

    def clear(self) -> None:
        """Forget all keys."""
        self._held.clear()
        if self._spilled:
            self._database.execute(f"DELETE FROM {self._table}")
        self._spilled = False


class ColumnSums:
    """Units by (row, item), for `items` items. Up to `cells` of them gather in memory before the database has them."""

    def __init__(self, database: sqlite3.Connection, items: int, cells: int, changes: int):
        self._database, self._limit, self._items = database, cells, items
        self._blocks = -(-items // BLOCK_ITEMS)
        self.column_cells = self._blocks * BLOCK_ITEMS
        """Of (row, item) the cell is `item * column_cells + row`: a block of a column is a range of cells."""
        self._gathered: defaultdict[int, int] = defaultdict(int)
        self._changed: ChangedKeys[int] = ChangedKeys(database, "changed_blocks", changes)
        database.execute("CREATE TABLE cells (cell INTEGER PRIMARY KEY, units INTEGER)")

    def gather(self) -> defaultdict[int, int]:
        """Cell -> units, to be added to by the caller."""
        if len(self._gathered) > self._limit:
            self._settle()
        return self._gathered

    def _settle(self) -> None:
        # In the order of the table, so that neighbours are written together.
        self._database.executemany(ADD, sorted(self._gathered.items()))
        for block in {cell // BLOCK_ITEMS for cell in self._gathered}:
            self._changed.add(block)
        self._gathered.clear()

    @property
    def has_changed(self) -> bool:
        """Whether an event has changed a block since `mark_published`."""
        return bool(self._gathered) or bool(self._changed)

    def mark_changed(self, item: int, block: int) -> bool:
        """Report a block of an item's column once more; False where it has no cells."""
        there = item < self._items and block < self._blocks and bool(self.read(item, block))
        if there:
            self._changed.add(item * self._blocks + block)
        return there

    def changed_blocks(self) -> Iterator[tuple[int, int]]:
        """(item, block) of what has changed since `mark_published`."""
        self._settle()
        return (divmod(block, self._blocks) for block in self._changed)

    def read(self, item: int, block: int) -> dict[int, int]:
        """Row -> units of a block of an item's column, without those that came to nothing."""
        self._settle()
        start = item * self.column_cells
        first = start + block * BLOCK_ITEMS
        return {cell - start: units for cell, units in self._database.execute(READ, (first, first + BLOCK_ITEMS))}

    def mark_published(self) -> None:
        """The changed blocks have arrived where they should."""
        self._settle()
        self._changed.clear()
