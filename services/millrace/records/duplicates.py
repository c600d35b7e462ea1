"""What was seen of each identity, in constant memory: to tell a repeat from a change."""

import sqlite3
import tempfile
from typing import Any

MAX_IN_MEMORY = 500_000  # identities; beyond that they move to a temporary SQLite file


class DuplicateFilter:
    """The last content of each identity, as 64-bit hashes.

    A repeat needs identity and content to collide at once, 128 bits, before a row could be lost to it.
    """

    def __init__(self, in_memory: int = MAX_IN_MEMORY) -> None:
        self.conflicts = 0
        """Identities of which a watched field changed."""
        self._entries: dict[int, tuple[int, int, bool]] = {}
        self._in_memory = in_memory
        self._database: sqlite3.Connection | None = None

    def repeats(self, identity: tuple[Any, ...], content: bytes, watched: tuple[Any, ...]) -> bool:
        """Whether this is, field for field, the last content seen of its identity; remembers it otherwise."""
        key, whole, part = hash(identity), hash(content), hash(watched)
        before = self._get(key)
        if before is not None and before[0] == whole:
            return True
        conflicted = before is not None and before[2]
        if before is not None and before[1] != part and not conflicted:
            self.conflicts += 1
            conflicted = True
        self._put(key, (whole, part, conflicted))
        return False

    def _get(self, key: int) -> tuple[int, int, bool] | None:
        entry = self._entries.get(key)
        if entry is None and self._database is not None:
            entry = self._database.execute("SELECT whole, part, conflicted FROM seen WHERE key = ?", (key,)).fetchone()
        return entry

    def _put(self, key: int, entry: tuple[int, int, bool]) -> None:
        self._entries[key] = entry
        if len(self._entries) < self._in_memory:
            return
        if self._database is None:
            self._file = tempfile.NamedTemporaryFile(prefix="millrace-seen-")  # noqa: SIM115 - lives as long as self
            self._database = sqlite3.connect(self._file.name, isolation_level=None)
            # It is thrown away after the run: no journal, no waiting for the disk.
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.execute(
                "CREATE TABLE seen (key INTEGER PRIMARY KEY, whole INTEGER, part INTEGER, conflicted INTEGER)"
            )
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)",
            ((key, *entry) for key, entry in self._entries.items()),
        )
        self._database.execute("COMMIT")
        self._entries.clear()

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._file.close()
