"""The model of pages: a space and the centres of its clusters."""

from dataclasses import dataclass, field

import numpy as np

from millrace.errors import CorruptError
from millrace.pages.space import BUCKETS, TEXT_WIDTH, WIDTH, Columns, PageSpace
from millrace.scoring.kmeans import KMeans

ALGORITHM = "pages"
ARRAY_SHAPES = {"idf": (BUCKETS,), "projection": (BUCKETS, TEXT_WIDTH), "mean": (WIDTH,), "scale": (WIDTH,)}


@dataclass(frozen=True)
class PageClusters:
    """The centres of k clusters in a space. Immutable; processes may share it.

    `centres`: (k, WIDTH) float64 in the space's coordinates. `weights`: (k,) float64, how many pages each centre stands
    for, older ones counting less (see millrace.pages.update).
    """

    space: PageSpace
    centres: np.ndarray
    weights: np.ndarray
    _nearest: KMeans = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        width = self.centres.shape[1]
        object.__setattr__(self, "_nearest", KMeans(np.zeros(width), np.ones(width), self.centres))

    @classmethod
    def load(cls, arrays: dict[str, np.ndarray]) -> "PageClusters":
        """The model of a version's arrays. Raises CorruptError that names the array which does not fit."""
        if lacking := sorted({*ARRAY_SHAPES, "centres", "weights"} - set(arrays)):
            raise CorruptError(f"lacks the arrays {', '.join(lacking)}; it has {', '.join(sorted(arrays)) or 'none'}.")
        k = len(arrays["centres"]) if arrays["centres"].ndim else 0
        for name, shape in {**ARRAY_SHAPES, "centres": (max(k, 1), WIDTH), "weights": (k,)}.items():
            array = arrays[name]
            if array.shape != shape:
                sentence = f"{name}.npy has the shape {list(array.shape)}; [{', '.join(map(str, shape))}] is needed."
                raise CorruptError(sentence, field=name)
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                raise CorruptError(f"{name}.npy holds a value that is not a finite float.", field=name)
        if (arrays["scale"] <= 0).any() or (arrays["weights"] < 0).any():
            raise CorruptError("every value of scale.npy must be above 0, of weights.npy 0 or above.", field="scale")
        return cls(PageSpace(**{name: arrays[name] for name in ARRAY_SHAPES}), arrays["centres"], arrays["weights"])

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: getattr(self.space, name) for name in ARRAY_SHAPES} | {
            "centres": self.centres,
            "weights": self.weights,
        }

    @property
    def k(self) -> int:
        return len(self.centres)

    def features(self, columns: Columns) -> np.ndarray:
        """(n, WIDTH) float32 of `url`, `title` and `keywords`, standardised."""
        return self.space.features(columns)

    def assign(self, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
        """The cluster of each page, (n,) int64, and its distance to the centre, (n,) float64."""
        return self.nearest(self.features(columns))

    def nearest(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same of pages whose features are there already."""
        return self._nearest.assign(features)
