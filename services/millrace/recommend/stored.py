"""Models from the arrays of the registry, by the algorithm that their manifest names."""

from collections.abc import Mapping

import numpy as np

from millrace.errors import Corrupt
from millrace.recommend.als import Als
from millrace.recommend.answer import Recommender
from millrace.recommend.linked import Linked
from millrace.recommend.popularity import Popularity

NEEDED = {
    "linked": ("starts", "neighbours", "weights", "by_age", "popular"),
    "als": ("factors", "gram", "by_age", "popular"),
    "popularity": ("counts", "popular"),
}


def load(algorithm: str, arrays: Mapping[str, np.ndarray]) -> Recommender:
    """The model, ready to answer. Raises Corrupt that says what does not fit."""
    if algorithm not in NEEDED:
        raise Corrupt(f"algorithm {algorithm!r} is not known; allowed: {', '.join(NEEDED)}.", field="algorithm")
    if lacking := sorted(set(NEEDED[algorithm]) - set(arrays)):
        raise Corrupt(f"{algorithm} lacks the arrays {', '.join(lacking)}.", field="arrays")
    for name in NEEDED[algorithm]:
        if arrays[name].dtype.kind == "f" and not np.isfinite(arrays[name]).all():
            raise Corrupt(f"{name}.npy holds a value that is not finite.", field=name)
    _inside(arrays["popular"], _items(algorithm, arrays), "popular")
    if algorithm == "als":
        factors, gram = arrays["factors"], arrays["gram"]
        if factors.ndim != 2 or gram.shape != (factors.shape[1],) * 2:
            raise Corrupt(f"factors {list(factors.shape)} and gram {list(gram.shape)} do not fit.", field="gram")
        return Als(factors, gram, arrays["by_age"], arrays["popular"])
    if algorithm == "popularity":
        return Popularity(arrays["counts"], arrays["popular"])
    starts, neighbours = arrays["starts"], arrays["neighbours"]
    if starts[0] != 0 or (np.diff(starts) < 0).any() or starts[-1] != len(neighbours):
        raise Corrupt("starts.npy must rise from 0 to the number of links.", field="starts")
    if len(neighbours) != len(arrays["weights"]):
        raise Corrupt(f"{len(neighbours)} neighbours, but {len(arrays['weights'])} weights.", field="weights")
    _inside(neighbours, len(starts) - 1, "neighbours")
    return Linked.load(arrays)


def _items(algorithm: str, arrays: Mapping[str, np.ndarray]) -> int:
    if algorithm == "linked":
        if len(arrays["starts"]) < 1:
            raise Corrupt("starts.npy is empty.", field="starts")
        return len(arrays["starts"]) - 1
    return len(arrays["factors" if algorithm == "als" else "counts"])


def _inside(numbers: np.ndarray, items: int, name: str) -> None:
    if len(numbers) and not (int(numbers.min()) >= 0 and int(numbers.max()) < items):
        raise Corrupt(f"{name}.npy names an item outside 0 ... {items - 1}.", field=name)
