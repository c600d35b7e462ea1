"""What the events since the snapshots of a recommender's versions add, as an API process follows it."""

import threading
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import orjson

from millrace.online import deltas


@dataclass
class Overlay:
    """The state of one version. One thread changes it while requests read."""

    users: dict[str, list[int | str]] = field(default_factory=dict)
    rows: dict[int, dict[int, int]] = field(default_factory=dict)
    """Row -> column -> units added to the transitions."""
    columns: dict[str, list[int]] = field(default_factory=dict)
    """Block of a column -> the rows that its last message named."""
    changes: dict[int, int] = field(default_factory=dict)
    """Row -> how often it has changed."""
    popular: tuple[np.ndarray, np.ndarray] | None = None
    """Item numbers, and (2, n) events added in the window and of all time."""
    watermark: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def row(self, item: int) -> tuple[int, dict[int, int]]:
        """How often the row has changed, and a copy of what was added to it."""
        with self.lock:
            return self.changes.get(item, 0), dict(self.rows.get(item, ()))

    def apply(self, kind: str, name: str, value: dict[str, Any] | None) -> None:
        if kind == "column":
            self._column(name, value or {"rows": [], "added": []})
        elif kind == "user":
            if value is None:
                self.users.pop(name, None)
            else:
                self.users[name] = value["items"]
        elif kind == "popular":
            self.popular = None
            if value:
                counts = np.array([value["lately"], value["whole"]], dtype=np.int64)
                self.popular = np.array(value["items"], dtype=np.int64), counts
        elif kind == "watermark":
            self.watermark = value or {}

    def _column(self, name: str, value: dict[str, Any]) -> None:
        """The cells of a block of a column, all of them: those that are not named any more are gone."""
        item = int(name.partition(".")[0])
        new = dict.fromkeys(self.columns.get(name, ()), 0) | dict(zip(value["rows"], value["added"], strict=True))
        self.columns[name] = value["rows"]
        with self.lock:
            for row, units in new.items():
                cells = self.rows.setdefault(row, {})
                if cells.get(item, 0) != units:
                    cells[item] = units
                    self.changes[row] = self.changes.get(row, 0) + 1

    def covers(self, other: "Overlay") -> bool:
        """Whether all records that the other has taken up are in."""
        own = self.watermark.get("offsets", {})
        return all(own.get(part, 0) >= offset for part, offset in other.watermark.get("offsets", {}).items())


class Overlays:
    """By version, what its deltas add up to; the store of a recommender's workload (see delta_follower)."""

    def __init__(self) -> None:
        self._versions: dict[str, Overlay] = {}
        self._given_up: WeakValueDictionary[str, Overlay] = WeakValueDictionary()
        """What was taken back and somebody still answers from: followed again, it must be the same."""
        self._lock = threading.Lock()
        self.served: str | None = None
        """The version that is served: staleness and readiness speak of it."""

    def get(self, version: str) -> Overlay:
        """The state of a version; empty, and filled later, where nothing was said of it yet."""
        with self._lock:
            if version not in self._versions:
                self._versions[version] = self._given_up.pop(version, None) or Overlay()
            return self._versions[version]

    def leads(self, version: str) -> bool:
        """Whether no other version that is followed has taken up a record that this one has not."""
        own = self.get(version)
        with self._lock:
            others = list(self._versions.values())
        return all(own.covers(other) or other.watermark.get("error") for other in others)

    def apply(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        version, kind, name = deltas.split_key(key)
        self.get(version).apply(kind, name, None if value is None else orjson.loads(value))
        if value is None and kind == "watermark":  # published last when a version is given up
            with self._lock:
                self._given_up[version] = self._versions.pop(version)

    @property
    def watermark(self) -> float | None:
        return self.get(self.served).watermark.get("at") if self.served else None

    def describe(self) -> dict[str, Any]:
        watermark = self.get(self.served).watermark if self.served else {}
        return {"version": self.served} | {name: watermark.get(name) for name in ("offsets", "accepted", "error")}
