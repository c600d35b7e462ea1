"""Nearest-centre scoring over standardised features (Lloyd, "Least squares quantization in PCM", 1982)."""

from dataclasses import dataclass

import numpy as np

BLOCK_ROWS = 8192  # rows at a time: distances of a block stay in the processor's cache


@dataclass(frozen=True)
class KMeans:
    """`mean`, `scale`: (d,) standardisation; `centres`: (k, d) in standardised space. All float64."""

    mean: np.ndarray
    scale: np.ndarray
    centres: np.ndarray

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """(n, d) raw feature values to (n, d) standardised ones."""
        return (values - self.mean) / self.scale

    def assign(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest centre of each of n rows, (n,) int64, and the Euclidean distance to it, (n,) float64.

        `values` is (n, d), not standardised. Of equally near centres the lowest number wins.
        """
        numbers = np.empty(len(values), dtype=np.int64)
        distances = np.empty(len(values), dtype=np.float64)
        for start in range(0, len(values), BLOCK_ROWS):
            rows = self.standardise(values[start : start + BLOCK_ROWS])
            squared = ((rows[:, None, :] - self.centres[None, :, :]) ** 2).sum(axis=2)
            nearest = squared.argmin(axis=1)
            numbers[start : start + BLOCK_ROWS] = nearest
            distances[start : start + BLOCK_ROWS] = np.sqrt(squared[np.arange(len(rows)), nearest])
        return numbers, distances

    def arrays(self) -> dict[str, np.ndarray]:
        return {"mean": self.mean, "scale": self.scale, "centres": self.centres}


def order_centres(centres: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The order of (k, d) centres along the (d,) axis, lowest first; ties by the coordinates themselves."""
    keys = [centres[:, column] for column in range(centres.shape[1])][::-1]
    return np.lexsort([*keys, centres @ weights])
