"""How far the stream has moved from what its champion was trained on."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from millrace.stream.summary import Summary

HALF_LIFE = 20_000  # pages after which a page counts half
FLOOR = 1e-4  # the least share that the stability index takes a logarithm of


def stability(expected: np.ndarray, actual: np.ndarray) -> float:
    """The population stability index, sum of (a - e) ln(a / e) over shares (Siddiqi, "Credit Risk Scorecards", 2006).

    Below 0.1 little has changed, above 0.25 much.
    """
    before, now = np.maximum(expected, FLOOR), np.maximum(actual, FLOOR)
    before, now = before / before.sum(), now / now.sum()
    return float(((now - before) * np.log(now / before)).sum())


@dataclass
class Drift:
    """Fading sums over the pages that one version scored. `shares` are those of its training, (k,); `inertia` is its
    mean squared distance; `centres` (k, d). What a manifest does not tell is None, and so is its measure."""

    centres: np.ndarray
    shares: np.ndarray | None = None
    inertia: float | None = None
    _pages: float = 0.0
    _squared: float = 0.0
    _counts: np.ndarray = field(init=False)
    _sums: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self._counts, self._sums = np.zeros(len(self.centres)), np.zeros(self.centres.shape)

    def add(self, found: Summary) -> None:
        if found.features is None or found.placed is None:
            return
        fade = 0.5 ** (found.rows / HALF_LIFE)
        self._pages = self._pages * fade + found.rows
        self._squared = self._squared * fade + found.squared
        self._counts = self._counts * fade + found.placed
        self._sums = self._sums * fade + found.features

    def measures(self) -> dict[str, float | None]:
        """{"psi", "inertia_ratio", "moved"}; None before the first page.

        `moved` is the mean distance, over the pages, from a cluster's centre to the mean of its pages, in units of the
        training's root mean squared distance.
        """
        found: dict[str, float | None] = {"psi": None, "inertia_ratio": None, "moved": None}
        if self._pages <= 0:
            return found
        if self.shares is not None:
            found["psi"] = stability(self.shares, self._counts / self._pages)
        if self.inertia:
            seen = self._counts > 0.5
            means = self._sums[seen] / self._counts[seen, None]
            steps = np.linalg.norm(means - self.centres[seen], axis=1)
            found["inertia_ratio"] = self._squared / self._pages / self.inertia
            found["moved"] = float(np.average(steps, weights=self._counts[seen]) / np.sqrt(self.inertia))
        return {name: None if value is None else round(value, 6) for name, value in found.items()}


def against(parameters: dict[str, Any], metrics: dict[str, float], centres: np.ndarray) -> Drift:
    """The drift against the training that a manifest tells of."""
    shares = [one.get("share") for one in parameters.get("profile", [])]
    known = len(shares) == len(centres) and None not in shares
    return Drift(centres, np.array(shares, float) if known else None, metrics.get("inertia_per_row"))
