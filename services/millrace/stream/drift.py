"""How far the stream has moved from what its champion was trained on."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from millrace.pages.drift import centre_shift, population_stability_index
from millrace.stream.summary import BatchSummary

HALF_LIFE_PAGES = 20_000  # pages after which a page counts half
MIN_PAGES = (
    200  # pages: the PSI of fewer is above 0.25 by chance (of ten equal clusters: 100 % with 10 pages, 4 % with 80)
)


@dataclass
class StreamDrift:
    """Fading sums over the pages that one version scored.

    `shares` are those of its training, (k,); `inertia` is its mean squared distance; `centres` (k, d). What a manifest
    does not tell is None, and so is its measure.
    """

    centres: np.ndarray
    shares: np.ndarray | None = None
    inertia: float | None = None
    _pages: float = 0.0
    _squared: float = 0.0
    _counts: np.ndarray = field(init=False)
    _sums: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self._counts, self._sums = np.zeros(len(self.centres)), np.zeros(self.centres.shape)

    def add(self, summary: BatchSummary) -> None:
        if summary.features is None or summary.placed is None:
            return
        fade = 0.5 ** (summary.rows / HALF_LIFE_PAGES)
        self._pages = self._pages * fade + summary.rows
        self._squared = self._squared * fade + summary.squared
        self._counts = self._counts * fade + summary.placed
        self._sums = self._sums * fade + summary.features

    def measure(self) -> dict[str, float | None]:
        """{"psi", "inertia_ratio", "moved"} as millrace.pages.drift has them; None before the first LEAST pages.

        A cluster moves to the mean of its pages, and stays where it has none.
        """
        drift: dict[str, float | None] = {"psi": None, "inertia_ratio": None, "moved": None}
        if self._pages < MIN_PAGES:
            return drift
        if self.shares is not None:
            drift["psi"] = population_stability_index(self.shares, self._counts)
        if self.inertia:
            drift["inertia_ratio"] = self._squared / self._pages / self.inertia
        seen = self._counts[:, None] > 0
        means = np.where(seen, self._sums / np.where(seen, self._counts[:, None], 1), self.centres)
        drift["moved"] = centre_shift(self.centres, means)
        return {name: None if value is None else round(value, 6) for name, value in drift.items()}


def make_drift(parameters: dict[str, Any], metrics: dict[str, float], centres: np.ndarray) -> StreamDrift:
    """The drift against the training that a manifest tells of."""
    shares = [one.get("share") for one in parameters.get("profile", [])]
    known = len(shares) == len(centres) and None not in shares
    return StreamDrift(centres, np.array(shares, float) if known else None, metrics.get("inertia_per_row"))
