"""What the events since the snapshots of recommenders' versions add, as an API process follows it."""

import threading
from collections.abc import Sequence
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
    popular_blocks: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """Block of items -> their numbers, and (2, n) events added in the window and of all time."""
    watermark: dict[str, Any] = field(default_factory=dict)
    unsettled: bool = False
    """Whether another updater has begun since the watermark, and has not said yet that all it knows is published."""
    doubts: set[str] = field(default_factory=set)
    """Keys that a message which does not count has overwritten in the topic."""
    doubted_since: float | None = None
    """Seconds since 1970 UTC: when the first of these came; None where there are none."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    _popular: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def popular(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Item numbers, and (2, n) events added in the window and of all time; the same object until they change."""
        with self.lock:
            if self._popular is None and self.popular_blocks:
                items, counts = zip(*self.popular_blocks.values(), strict=True)
                self._popular = np.concatenate(items), np.concatenate(counts, axis=1)
            return self._popular

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of the version any more."""
        return not (self.users or self.columns or self.popular_blocks or self.watermark or self.doubts)

    @property
    def at(self) -> float | None:
        """Seconds since 1970 UTC: every record that arrived before is in; None where nothing was said of it."""
        at, since = self.watermark.get("at"), self.doubted_since
        return at if at is None or since is None else min(at, since)

    def doubt(self, kind: str, name: str, timestamp_ms: int) -> None:
        """What is known of a key may not be known to others, until it is published again."""
        self.doubts.add(f"{kind}/{name}")
        if self.doubted_since is None:
            self.doubted_since = timestamp_ms / 1000

    def row(self, item: int) -> tuple[int, dict[int, int]]:
        """How often the row has changed, and a copy of what was added to it."""
        with self.lock:
            return self.changes.get(item, 0), dict(self.rows.get(item, ()))

    def apply(self, kind: str, name: str, value: dict[str, Any] | None) -> None:
        self.doubts.discard(f"{kind}/{name}")
        if not self.doubts:
            self.doubted_since = None
        if kind == "column":
            self._column(name, value or {"rows": [], "added": []})
            if value is None:
                self.columns.pop(name)
        elif kind == "user":
            if value is None:
                self.users.pop(name, None)
            else:
                self.users[name] = value["items"]
        elif kind == "popular":
            self._change_popular(name, value)
        elif kind == "watermark":
            self.watermark, self.unsettled = value or {}, False

    def _change_popular(self, block: str, value: dict[str, Any] | None) -> None:
        blocks = dict(self.popular_blocks)
        if block:  # a release that knew no blocks has sent all in one
            blocks.pop("", None)
        if value is None:
            blocks.pop(block, None)
        else:
            counts = np.array([value["lately"], value["whole"]], dtype=np.int64)
            blocks[block] = np.array(value["items"], dtype=np.int64), counts
        with self.lock:
            self.popular_blocks, self._popular = blocks, None

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
    """By model and version, what the deltas add up to; the store of a recommender's workload (see delta_follower).

    Keys without a model are of a release that had one recommender in a workload: they are the only model's.
    """

    def __init__(self, models: Sequence[str]):
        self._models = models
        self._only = models[0] if len(models) == 1 else ""
        self._versions: dict[tuple[str, str], Overlay] = {}
        self._given_up: WeakValueDictionary[tuple[str, str], Overlay] = WeakValueDictionary()
        """What was taken back and somebody still answers from: followed again, it must be the same."""
        self._lock = threading.Lock()
        self.served: dict[str, str] = {}
        """Model -> the version that is served: staleness and readiness speak of it."""

    def get(self, model: str, version: str) -> Overlay:
        """The state of a version; empty, and filled later, where nothing was said of it yet."""
        key = model, version
        with self._lock:
            if key not in self._versions:
                self._versions[key] = self._given_up.pop(key, None) or Overlay()
            return self._versions[key]

    def leads(self, model: str, version: str) -> bool:
        """Whether no other version of the model has taken up a record that this one has not, and all it has is sure."""
        own = self.get(model, version)
        if own.doubts or (own.unsettled and not own.watermark.get("error")):
            return False
        with self._lock:
            others = [overlay for (of, _), overlay in self._versions.items() if of == model]
        return all(own.covers(other) or other.watermark.get("error") for other in others)

    def scope(self, key: str) -> str:
        """The model that a key is of, whose updater alone may say what it holds."""
        first = key.partition("/")[0]
        return first if first in self._models else self._only

    def begin_epoch(self, scope: str) -> None:
        """Another updater publishes for the model from here on: nothing is sure before all it knows is published."""
        with self._lock:
            overlays = [overlay for (of, _), overlay in self._versions.items() if of == scope]
        for overlay in overlays:
            overlay.unsettled = overlay.unsettled or bool(overlay.watermark)

    def doubt(self, key: str, timestamp_ms: int) -> None:
        """The key was overwritten by a message that does not count: a process that starts now may lack its value."""
        model, version, kind, name = deltas.split_key(key)
        if model:
            self.get(model, version).doubt(kind, name, timestamp_ms)

    def apply(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        model, version, kind, name = deltas.split_key(key)
        model = model or self._only
        if model not in self._models:
            return
        overlay = self.get(model, version)
        overlay.apply(kind, name, None if value is None else orjson.loads(value))
        # A version's watermark is taken back last.
        if value is None and (kind == "watermark" or overlay.is_empty):
            with self._lock:
                self._given_up[model, version] = self._versions.pop((model, version))

    def _served_overlays(self) -> dict[str, Overlay]:
        return {model: self.get(model, version) for model, version in sorted(dict(self.served).items())}

    @property
    def watermark(self) -> float | None:
        ats = [overlay.at for overlay in self._served_overlays().values()]
        known = [at for at in ats if at is not None]
        return min(known) if known and len(known) == len(ats) else None

    def describe(self) -> dict[str, Any]:
        """`version`, `offsets`, `accepted`, `error` of the only model that is served; of several, under `models`."""
        models = {
            model: {"version": self.served[model]}
            | {name: overlay.watermark.get(name) for name in ("offsets", "accepted", "error")}
            for model, overlay in self._served_overlays().items()
        }
        if len(models) > 1:
            return {"models": models}
        return next(iter(models.values()), dict.fromkeys(("version", "offsets", "accepted", "error")))
