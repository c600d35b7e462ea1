"""Everything a training is at one moment: weights, optimiser, histories, replay, position. As bytes, and back.

There is no state of a random generator: each draw has a seed of its own, made of the plan's seed and the step's number.
"""

import hashlib
import io
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import orjson

from millrace.errors import CorruptError
from millrace.neural.continual.histories import HistoryTable, TextTable
from millrace.neural.continual.item_counts import ItemCounts
from millrace.neural.continual.plan import FIXED_FIELDS, ContinualPlan
from millrace.neural.continual.reservoir import ReplayBuffer
from millrace.neural.continual.weights import NetworkWeights
from millrace.records.times import MARGIN_S

STATE_FORMAT = b"millrace.continual/1"
RECENT_BATCHES = 40  # micro-batches of the sliding HR@10


@dataclass
class TrainingProgress:
    """How far the training is; JSON. Nothing in it depends on the clock of the machine."""

    batch: int = 0
    step: int = 0
    positions: dict[str, int] = field(default_factory=dict)
    """Partition -> next offset."""
    firsts: dict[str, int] = field(default_factory=dict)
    """Partition -> first offset that the weights have learned from, those of the version they started from included."""
    watermark: int = 0
    """The newest arrival, in milliseconds since 1970 UTC."""
    counts: dict[str, int] = field(default_factory=Counter)
    """read, fresh, repeated, unreadable, unknown (no room for the item), asked, new (asked for items not yet known)"""
    hits: float = 0.0
    recent: list[tuple[int, float]] = field(default_factory=list)
    """(asked, hits) of the last RECENT micro-batches."""
    based_on: str | None = None
    """The version whose weights came first."""
    based_on_rows: int = 0
    epochs: int = 0
    """Of that version; what a fit from the beginning would take."""

    def hr(self, recent: bool = True) -> float:
        """Prequential HR@10, of the last micro-batches or of all; 0 where nothing was asked."""
        asked, hits = map(sum, zip(*self.recent, strict=True)) if recent and self.recent else (0, 0.0)
        asked, hits = (asked, hits) if recent else (self.counts.get("asked", 0), self.hits)
        return hits / asked if asked else 0.0


@dataclass
class TrainingState:
    """All of it; `packed` and `unpacked` are its bytes."""

    plan: ContinualPlan
    progress: TrainingProgress
    items: TextTable
    histories: HistoryTable
    replay: ReplayBuffer
    taken: ItemCounts
    weights: NetworkWeights

    @classmethod
    def make_empty(cls, plan: ContinualPlan, window: float) -> "TrainingState":
        replay = ReplayBuffer(plan.buffer, plan.seed)
        return cls(
            plan, TrainingProgress(), TextTable(), HistoryTable(), replay, ItemCounts(window), NetworkWeights(plan, 0)
        )

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            **self.weights.arrays(),
            **self.histories.arrays(),
            **self.taken.arrays(),
            "item_ids": self.items.array(),
            "replay": self.replay.kept,
            "replay_seen": np.array(self.replay.seen),
        }

    def to_bytes(self) -> bytes:
        """A line with the checksum of all that follows, a line of JSON, and an npz; the same state gives the same."""
        body = io.BytesIO()
        np.savez(body, allow_pickle=False, **self.arrays())
        progress = vars(self.progress) | {"counts": dict(self.progress.counts)}
        kept = {"plan": self.plan.learning, "progress": progress, "window": self.taken.window}
        content = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS) + b"\n" + body.getvalue()
        return STATE_FORMAT + b" " + hashlib.sha256(content).hexdigest().encode() + b"\n" + content

    @classmethod
    def from_bytes(cls, content: bytes, where: str, plan: ContinualPlan | None = None) -> "TrainingState":
        """The state in the bytes; of `plan` everything counts but FIXED. Raises CorruptError that names `where`."""
        head, _, rest = content.partition(b"\n")
        form, _, expected = head.partition(b" ")
        if form != STATE_FORMAT:
            raise CorruptError(
                f"{where} is no checkpoint of {STATE_FORMAT.decode()}: it begins with {head[:40]!r}.", field="format"
            )
        digest = hashlib.sha256(rest).hexdigest()
        if digest != expected.decode("ascii", "replace"):
            raise CorruptError(
                f"{where} has the checksum {digest[:16]}... over {len(rest)} bytes; its first line says "
                f"{expected[:16].decode('ascii', 'replace')}.... The file was truncated or changed.",
                field="checksum",
            )
        line, _, body = rest.partition(b"\n")
        kept: dict[str, Any] = orjson.loads(line)
        known = {option.name for option in fields(ContinualPlan)}
        stored = ContinualPlan(**{name: value for name, value in kept["plan"].items() if name in known})
        plan = stored if plan is None else replace(plan, **{name: getattr(stored, name) for name in FIXED_FIELDS})
        with np.load(io.BytesIO(body), allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files}
        progress = TrainingProgress(**kept["progress"])
        progress.counts, progress.recent = Counter(progress.counts), [(asked, hits) for asked, hits in progress.recent]
        items = TextTable.of(arrays["item_ids"])
        replay = ReplayBuffer(plan.buffer, plan.seed)
        replay.kept, replay.seen = arrays["replay"], int(arrays["replay_seen"])
        weights = NetworkWeights(plan, len(items))
        weights.load(arrays)
        taken = ItemCounts.load(kept["window"], arrays, progress.watermark / 1000 + MARGIN_S)
        return cls(plan, progress, items, HistoryTable.load(arrays), replay, taken, weights)
