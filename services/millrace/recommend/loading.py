"""Models from the arrays of the registry, by the algorithm that their manifest names."""

from collections.abc import Mapping

import numpy as np

from millrace.errors import CorruptError
from millrace.recommend import attention, factorization_machine
from millrace.recommend.als import AlsModel
from millrace.recommend.link_model import LinkModel
from millrace.recommend.popularity import PopularityModel
from millrace.recommend.top_items import Recommender

NEEDED_ARRAYS = {
    "linked": ("starts", "neighbours", "weights", "by_age", "popular"),
    "als": ("factors", "gram", "by_age", "popular"),
    "popularity": ("counts", "popular"),
    "attention": (*attention.ARRAY_NAMES, "popular"),
    "masked_attention": (*attention.ARRAY_NAMES, "mask", "popular"),
    "machine": (*factorization_machine.ARRAY_NAMES, "popular"),
}


def load_model(algorithm: str, arrays: Mapping[str, np.ndarray]) -> Recommender:
    """The model, ready to answer. Raises CorruptError that says what does not fit."""
    if algorithm not in NEEDED_ARRAYS:
        raise CorruptError(
            f"algorithm {algorithm!r} is not known; allowed: {', '.join(NEEDED_ARRAYS)}.", field="algorithm"
        )
    if lacking := sorted(set(NEEDED_ARRAYS[algorithm]) - set(arrays)):
        raise CorruptError(f"{algorithm} lacks the arrays {', '.join(lacking)}.", field="arrays")
    for name in NEEDED_ARRAYS[algorithm]:
        if arrays[name].dtype.kind == "f" and not np.isfinite(arrays[name]).all():
            raise CorruptError(f"{name}.npy holds a value that is not finite.", field=name)
    _check_range(arrays["popular"], _count_items(algorithm, arrays), "popular")
    if algorithm == "als":
        factors, gram = arrays["factors"], arrays["gram"]
        if factors.ndim != 2 or gram.shape != (factors.shape[1],) * 2:
            raise CorruptError(f"factors {list(factors.shape)} and gram {list(gram.shape)} do not fit.", field="gram")
        return AlsModel(factors, gram, arrays["by_age"], arrays["popular"])
    if algorithm.endswith("attention"):
        return _load_attention(arrays, NEEDED_ARRAYS[algorithm])
    if algorithm == "machine":
        return _load_machine(arrays)
    if algorithm == "popularity":
        return PopularityModel(arrays["counts"], arrays["popular"])
    starts, neighbours = arrays["starts"], arrays["neighbours"]
    if starts[0] != 0 or (np.diff(starts) < 0).any() or starts[-1] != len(neighbours):
        raise CorruptError("starts.npy must rise from 0 to the number of links.", field="starts")
    if len(neighbours) != len(arrays["weights"]):
        raise CorruptError(f"{len(neighbours)} neighbours, but {len(arrays['weights'])} weights.", field="weights")
    _check_range(neighbours, len(starts) - 1, "neighbours")
    return LinkModel.load(arrays)


def _count_items(algorithm: str, arrays: Mapping[str, np.ndarray]) -> int:
    if algorithm == "linked":
        if len(arrays["starts"]) < 1:
            raise CorruptError("starts.npy is empty.", field="starts")
        return len(arrays["starts"]) - 1
    return len(arrays["counts" if algorithm == "popularity" else "factors"])


def _load_machine(arrays: Mapping[str, np.ndarray]) -> factorization_machine.MachineModel:
    factors = arrays["factors"]
    for name, shape in {"before": factors.shape, "bias": factors.shape[:1]}.items():
        if factors.ndim != 2 or arrays[name].shape != shape:
            actual = list(arrays[name].shape)
            raise CorruptError(f"{name}.npy {actual} does not fit factors {list(factors.shape)}.", field=name)
    return factorization_machine.MachineModel(
        {name: arrays[name] for name in factorization_machine.ARRAY_NAMES}, arrays["popular"]
    )


def _load_attention(arrays: Mapping[str, np.ndarray], names: tuple[str, ...]) -> attention.AttentionModel:
    width, layers, heads = arrays["factors"].shape[-1], len(arrays["qkv_weight"]), arrays["heads"]
    if heads.shape != (1,) or heads[0] < 1 or width % heads[0]:
        raise CorruptError(
            f"heads.npy holds {heads.tolist()}; allowed: one divisor of the width {width}.", field="heads"
        )
    for name in ("qkv", "out", "up", "down"):
        shape = {"qkv": (3 * width, width), "out": (width, width), "up": (4 * width, width), "down": (width, 4 * width)}
        if arrays[f"{name}_weight"].shape != (layers, *shape[name]):
            actual = list(arrays[f"{name}_weight"].shape)
            raise CorruptError(f"{name}_weight.npy {actual} does not fit the width {width}.", field=f"{name}_weight")
    if "mask" in names and arrays["mask"].shape != (width,):
        raise CorruptError(f"mask.npy {list(arrays['mask'].shape)} does not fit the width {width}.", field="mask")
    return attention.AttentionModel({name: arrays[name] for name in names if name != "popular"}, arrays["popular"])


def _check_range(numbers: np.ndarray, items: int, name: str) -> None:
    if len(numbers) and (int(numbers.min()) < 0 or int(numbers.max()) >= items):
        raise CorruptError(f"{name}.npy names an item outside 0 ... {items - 1}.", field=name)
