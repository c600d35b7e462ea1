"""Whether a manifest, its arrays and this code's record contract fit together, before anything is served."""

import numpy as np

from millrace.errors import Corrupt
from millrace.records.contract import schema_hash
from millrace.registry.manifest import Manifest
from millrace.scoring.features import TRANSFORMS
from millrace.scoring.kmeans import KMeans
from millrace.workloads import workloads

ALGORITHMS = ("kmeans",)


def check_model(manifest: Manifest, arrays: dict[str, np.ndarray], where: str) -> None:
    """Raises Corrupt that names `where` (the manifest's file) and both values of what does not fit."""

    def refuse(field: str, sentence: str) -> Corrupt:
        return Corrupt(f"{where}: {sentence}", field=field)

    if manifest.algorithm not in ALGORITHMS:
        raise refuse("algorithm", f"algorithm {manifest.algorithm!r} is not known; allowed: {', '.join(ALGORITHMS)}.")
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
    if "label" not in manifest.names:
        raise refuse("names", f"has names for {sorted(manifest.names)}; a column `label` is needed.")
    for column, names in manifest.names.items():
        if len(names) != len(centres):
            raise refuse("names", f"{len(centres)} centres, but {len(names)} names in {column}.")
    _check_features(manifest, refuse)


def _check_features(manifest: Manifest, refuse) -> None:
    for feature in manifest.features:
        if feature.transform not in TRANSFORMS:
            raise refuse("features", f"transform {feature.transform!r} is not known; allowed: {', '.join(TRANSFORMS)}.")
    known = workloads().get(manifest.workload)
    if known is None:
        return
    expected = schema_hash(known.record)
    if manifest.schema_hash != expected:
        raise refuse(
            "schema_hash",
            f"was trained on records of the schema {manifest.schema_hash}; the contract of "
            f"{manifest.workload} is now {expected}. Train it again: millrace train {manifest.workload}",
        )
    declared = known.model(manifest.model)
    if declared is None:
        return
    given, wanted = (
        ", ".join(f"{one.field} ({one.transform})" for one in of) for of in (manifest.features, declared.features)
    )
    if given != wanted:
        raise refuse(
            "features", f"was trained on {given}; {manifest.full_name} is now declared with {wanted}. Train it again."
        )


def scorer(arrays: dict[str, np.ndarray]) -> KMeans:
    return KMeans(arrays["mean"], arrays["scale"], arrays["centres"])
