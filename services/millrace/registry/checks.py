"""Whether a manifest, its arrays and this code's record contract fit together, before anything is served."""

from collections.abc import Callable

import numpy as np

from millrace.analytics import sales
from millrace.errors import CorruptError
from millrace.pages.model import ALGORITHM as PAGES
from millrace.pages.model import PageClusters
from millrace.recommend import live_arrays as live_arrays
from millrace.recommend import loading
from millrace.records.contract import compute_schema_hash
from millrace.registry.manifest import Manifest
from millrace.runtime.text_arrays import TextArray, text_array_names
from millrace.scoring.features import TRANSFORMS
from millrace.scoring.kmeans import KMeans
from millrace.workloads import load_workloads
from millrace.workloads.base import ClusterModel

MakeError = Callable[[str, str], CorruptError]
"""The error of a field, for a sentence."""
RECOMMENDER_ALGORITHMS = tuple(loading.NEEDED_ARRAYS)
MAPPED_ALGORITHMS = (*RECOMMENDER_ALGORITHMS, sales.ALGORITHM)
"""Algorithms whose arrays may be mapped from files: large, and read here and there."""
KNOWN_ALGORITHMS = ("kmeans", PAGES, *MAPPED_ALGORITHMS)
RECOMMENDER_TEXTS = ("users", "item_ids", "item_names")
SERVED_ARRAYS = (
    "history_starts",
    "history_items",
    *(array for name in RECOMMENDER_TEXTS for array in text_array_names(name)),
)
"""The arrays of a recommender besides the model's own."""
UPDATER_ARRAYS = (live_arrays.SEEN_ARRAY,)
"""Arrays that only the online updater reads."""


def check_model(manifest: Manifest, arrays: dict[str, np.ndarray], where: str) -> None:
    """Raises CorruptError that names `where` (the manifest's file) and both values of what does not fit."""

    def refuse(field: str, sentence: str) -> CorruptError:
        return CorruptError(f"{where}: {sentence}", field=field)

    if manifest.algorithm not in KNOWN_ALGORITHMS:
        raise refuse(
            "algorithm", f"algorithm {manifest.algorithm!r} is not known; allowed: {', '.join(KNOWN_ALGORITHMS)}."
        )
    if manifest.algorithm in MAPPED_ALGORITHMS:
        (_check_recommender if manifest.algorithm in RECOMMENDER_ALGORITHMS else _check_sales)(manifest, arrays, refuse)
        _check_contract(manifest, refuse)
        return
    if manifest.algorithm == PAGES:
        try:
            PageClusters.load(arrays)
        except CorruptError as error:
            raise refuse(error.field or "arrays", error.message) from None
        _check_names(manifest, arrays["centres"], refuse)
        _check_contract(manifest, refuse)
        return
    if lacking := sorted({"mean", "scale", "centres"} - set(arrays)):
        raise refuse("arrays", f"lacks the arrays {', '.join(lacking)}; it has {', '.join(sorted(arrays)) or 'none'}.")
    centres, width = arrays["centres"], len(manifest.features)
    if centres.ndim != 2 or len(centres) < 1 or centres.shape[1] != width:
        raise refuse("centres", f"centres.npy has the shape {list(centres.shape)}; {width} features need [k, {width}].")
    for name in ("mean", "scale"):
        if arrays[name].shape != (width,):
            raise refuse(name, f"{name}.npy has the shape {list(arrays[name].shape)}; {width} features need [{width}].")
    for name in ("mean", "scale", "centres"):
        if arrays[name].dtype.kind != "f" or not np.isfinite(arrays[name]).all():
            raise refuse(name, f"{name}.npy holds a value that is not a finite float.")
    if (arrays["scale"] <= 0).any():
        raise refuse("scale", f"scale.npy holds {arrays['scale'].min()}; every scale must be above 0.")
    _check_names(manifest, centres, refuse)
    _check_features(manifest, refuse)


def _check_names(manifest: Manifest, centres: np.ndarray, refuse: MakeError) -> None:
    if "label" not in manifest.names:
        raise refuse("names", f"has names for {sorted(manifest.names)}; a column `label` is needed.")
    for column, names in manifest.names.items():
        if len(names) != len(centres):
            raise refuse("names", f"{len(centres)} centres, but {len(names)} names in {column}.")


def _check_recommender(manifest: Manifest, arrays: dict[str, np.ndarray], refuse: MakeError) -> None:
    try:
        items = loading.load_model(manifest.algorithm, arrays).items
    except CorruptError as error:
        raise refuse(error.field or "arrays", error.message) from None
    if lacking := sorted(set(SERVED_ARRAYS) - set(arrays)):
        raise refuse("arrays", f"lacks the arrays {', '.join(lacking)}; it has {', '.join(sorted(arrays))}.")
    try:
        live_arrays.check_arrays(arrays, live_arrays.LiveParameters.from_manifest(manifest.parameters), items)
    except (CorruptError, TypeError) as error:
        raise refuse("live", str(error)) from None
    try:
        texts = {name: TextArray.from_arrays(arrays, name) for name in RECOMMENDER_TEXTS}
    except CorruptError as error:
        raise refuse(error.field or "arrays", error.message) from None
    starts, flat = arrays["history_starts"], arrays["history_items"]
    if (
        len(starts) != len(texts["users"]) + 1
        or starts[0] != 0
        or starts[-1] != len(flat)
        or (np.diff(starts) < 0).any()
    ):
        raise refuse(
            "history_starts", "history_starts.npy must rise from 0 to the number of history_items, one a user."
        )
    if len(flat) and not 0 <= int(flat.min()) <= int(flat.max()) < items:
        raise refuse("history_items", f"history_items.npy names an item outside 0 ... {items - 1}.")
    for name in ("item_ids", "item_names"):
        if len(texts[name]) != items:
            raise refuse(name, f"{name} must hold {items} texts; it holds {len(texts[name])}.")
    for name in ("users", "item_ids"):
        if not texts[name].is_strictly_sorted():
            raise refuse(name, f"{name} must be sorted, each id once.")


def _check_sales(manifest: Manifest, arrays: dict[str, np.ndarray], refuse: MakeError) -> None:
    by = manifest.parameters.get("by")
    if not isinstance(by, dict):
        raise refuse("parameters", f"parameters.by is {by!r}; allowed: an object of what statistics can be asked by.")
    try:
        sales.check_arrays(arrays, tuple(by))
    except CorruptError as error:
        raise refuse(error.field or "arrays", error.message) from None


def _check_features(manifest: Manifest, refuse: MakeError) -> None:
    for feature in manifest.features:
        if feature.transform not in TRANSFORMS:
            raise refuse("features", f"transform {feature.transform!r} is not known; allowed: {', '.join(TRANSFORMS)}.")
    _check_contract(manifest, refuse)
    known = load_workloads().get(manifest.workload)
    declared = known and known.model(manifest.model)
    if declared is None:
        return
    features = declared.features if isinstance(declared, ClusterModel) else ()
    trained, wanted = (
        ", ".join(f"{spec.field} ({spec.transform})" for spec in of) for of in (manifest.features, features)
    )
    if trained != wanted:
        raise refuse(
            "features", f"was trained on {trained}; {manifest.full_name} is now declared with {wanted}. Train it again."
        )


def _check_contract(manifest: Manifest, refuse: MakeError) -> None:
    known = load_workloads().get(manifest.workload)
    if known is None:
        return
    expected = compute_schema_hash(known.record)
    if manifest.schema_hash != expected:
        raise refuse(
            "schema_hash",
            f"was trained on records of the schema {manifest.schema_hash}; the contract of "
            f"{manifest.workload} is now {expected}. Train it again: millrace train {manifest.workload}",
        )


def load_kmeans(arrays: dict[str, np.ndarray]) -> KMeans:
    """The k-means model of a version's arrays."""
    return KMeans(arrays["mean"], arrays["scale"], arrays["centres"])
