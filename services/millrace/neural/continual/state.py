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

from millrace.errors import Corrupt
from millrace.neural.continual.histories import Histories, Names
from millrace.neural.continual.plan import FIXED, Plan
from millrace.neural.continual.popular import Taken
from millrace.neural.continual.reservoir import Reservoir
from millrace.neural.continual.weights import Weights
from millrace.records.times import MARGIN_S

FORMAT = b"millrace.continual/1"
RECENT = 40  # micro-batches of the sliding HR@10


@dataclass
class Progress:
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
class State:
    """All of it; `packed` and `unpacked` are its bytes."""

    plan: Plan
    progress: Progress
    items: Names
    histories: Histories
    replay: Reservoir
    taken: Taken
    weights: Weights

    @classmethod
    def empty(cls, plan: Plan, window: float) -> "State":
        replay = Reservoir(plan.buffer, plan.seed)
        return cls(plan, Progress(), Names(), Histories(), replay, Taken(window), Weights(plan, 0))

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            **self.weights.arrays(),
            **self.histories.arrays(),
            **self.taken.arrays(),
            "item_ids": self.items.array(),
            "replay": self.replay.kept,
            "replay_seen": np.array(self.replay.seen),
        }

    def packed(self) -> bytes:
        """A line with the checksum of all that follows, a line of JSON, and an npz; the same state gives the same."""
        body = io.BytesIO()
        np.savez(body, allow_pickle=False, **self.arrays())
        progress = vars(self.progress) | {"counts": dict(self.progress.counts)}
        kept = {"plan": self.plan.learning, "progress": progress, "window": self.taken.window}
        content = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS) + b"\n" + body.getvalue()
        return FORMAT + b" " + hashlib.sha256(content).hexdigest().encode() + b"\n" + content

    @classmethod
    def unpacked(cls, content: bytes, where: str, plan: Plan | None = None) -> "State":
        """The state in the bytes; of `plan` everything counts but FIXED. Raises Corrupt that names `where`."""
        head, _, rest = content.partition(b"\n")
        form, _, expected = head.partition(b" ")
        if form != FORMAT:
            raise Corrupt(
                f"{where} is no checkpoint of {FORMAT.decode()}: it begins with {head[:40]!r}.", field="format"
            )
        digest = hashlib.sha256(rest).hexdigest()
        if digest != expected.decode("ascii", "replace"):
            raise Corrupt(
                f"{where} has the checksum {digest[:16]}... over {len(rest)} bytes; its first line says "
                f"{expected[:16].decode('ascii', 'replace')}.... The file was truncated or changed.",
                field="checksum",
            )
        line, _, body = rest.partition(b"\n")
        kept: dict[str, Any] = orjson.loads(line)
        known = {option.name for option in fields(Plan)}
        stored = Plan(**{name: value for name, value in kept["plan"].items() if name in known})
        plan = stored if plan is None else replace(plan, **{name: getattr(stored, name) for name in FIXED})
        with np.load(io.BytesIO(body), allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files}
        progress = Progress(**kept["progress"])
        progress.counts, progress.recent = Counter(progress.counts), [(asked, hits) for asked, hits in progress.recent]
        items = Names.of(arrays["item_ids"])
        replay = Reservoir(plan.buffer, plan.seed)
        replay.kept, replay.seen = arrays["replay"], int(arrays["replay_seen"])
        weights = Weights(plan, len(items))
        weights.load(arrays)
        taken = Taken.load(kept["window"], arrays, progress.watermark / 1000 + MARGIN_S)
        return cls(plan, progress, items, Histories.load(arrays), replay, taken, weights)
