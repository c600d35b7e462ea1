"""What a recommender's version keeps besides its model, so that later events can be added to it exactly.

    live_starts, live_neighbours, live_counts      CSR of the transitions of its Markov layer, not cut, not normalised,
                                                   int64 in units of 1 / scale; where the recipe has such a layer
    static_starts, static_neighbours, static_weights   CSR of the other layers by their shares, added up, not cut
    popular_counts                                 (2, items) int64: events in popularity's window, and of all time
    seen                                           sorted uint64 hashes of the identities of all events; the updater's

`parameters.live` of the manifest says how they fit together (see Live).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from millrace.errors import CorruptError

COUNT_ARRAYS = ("live_starts", "live_neighbours", "live_counts")
STATIC_ARRAYS = ("static_starts", "static_neighbours", "static_weights")
POPULAR_ARRAY = "popular_counts"
SEEN_ARRAY = "seen"
EXACT_UNITS = 2520  # the least number that 1 ... AHEAD all divide: every share 1 / d is a whole number of units
FINE_UNITS = EXACT_UNITS << 20  # units of weighted counts, whose rounding is then far below that of float32


@dataclass(frozen=True)
class LiveParameters:
    """How events are counted: `share` of the Markov layer (None: there is none), a row's sum to the power `norm`.

    `since` is where popularity's window begins; `now` the newest time of the snapshot; `half_life` is given where
    counts are time-weighted. All in seconds; None where the events have no times.
    """

    share: float | None = None
    norm: float = 0.5
    scale: int = EXACT_UNITS
    since: float | None = None
    now: float | None = None
    half_life: float | None = None

    @classmethod
    def from_manifest(cls, parameters: Mapping[str, Any]) -> "LiveParameters":
        """From a manifest's parameters; a version of an earlier release has none, and no layer that could grow."""
        return cls(**parameters.get("live", {}))

    def gain(self, since: float | None) -> float:
        """What an event counts: 2 ** -(age / half_life). One without a time has come after the snapshot."""
        if self.half_life is None or self.now is None or since is None or since >= self.now:
            return 1.0
        return 2.0 ** ((since - self.now) / self.half_life)

    def units(self, since: float | None) -> float:
        return self.scale * self.gain(since)


def csr_row(arrays: Mapping[str, np.ndarray], names: tuple[str, str, str], item: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of a row of a CSR."""
    starts, columns, values = (arrays[name] for name in names)
    span = slice(int(starts[item]), int(starts[item + 1]))
    return columns[span], values[span]


def check_arrays(arrays: Mapping[str, np.ndarray], live: LiveParameters, items: int) -> None:
    """Raises CorruptError that says what does not fit."""
    for names in (COUNT_ARRAYS, STATIC_ARRAYS):
        if live.share is None and not set(names) & set(arrays):
            continue
        if lacking := sorted(set(names) - set(arrays)):
            raise CorruptError(
                f"lacks the arrays {', '.join(lacking)}, without which no event can be added.", field="live"
            )
        starts, columns, values = (arrays[name] for name in names)
        if len(starts) != items + 1 or starts[0] != 0 or (np.diff(starts) < 0).any() or starts[-1] != len(columns):
            raise CorruptError(f"{names[0]}.npy must rise from 0 to the number of {names[1]}.", field=names[0])
        if len(columns) != len(values) or (len(columns) and not 0 <= columns.min() <= columns.max() < items):
            raise CorruptError(f"{names[1]}.npy does not fit {items} items and {len(values)} values.", field=names[1])
    if POPULAR_ARRAY in arrays and arrays[POPULAR_ARRAY].shape != (2, items):
        raise CorruptError(
            f"{POPULAR_ARRAY}.npy has the shape {list(arrays[POPULAR_ARRAY].shape)}; {items} items need [2, {items}]."
        )
