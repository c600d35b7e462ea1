"""Versions as releases before 0.4 published them: texts in arrays of fixed width."""

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from millrace.registry.manifest import ArraySpec, Manifest, ManifestDraft
from millrace.registry.registry import Registry, version_prefix
from millrace.runtime.text_arrays import read_text_arrays, text_array_names

OLD_VERSION = "20260101T000000Z-0123abcd"


def to_fixed_width(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with each pair of texts as one array (n,) as wide as the longest text."""
    texts = read_text_arrays(arrays)
    pairs = {array for name in texts for array in text_array_names(name)}
    plain = {name: array for name, array in arrays.items() if name not in pairs}
    wide = {
        name: np.array([text.encode() for text in values] or [b""])[: len(values)] for name, values in texts.items()
    }
    return plain | wide


def publish_old(registry: Registry, draft: ManifestDraft, arrays: Mapping[str, np.ndarray]) -> Manifest:
    """Write the version OLD_VERSION as those releases did, object by object."""
    prefix, specs = version_prefix(draft.workload, draft.model, OLD_VERSION), {}
    for name, array in to_fixed_width(arrays).items():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        checksum = hashlib.sha256(buffer.getvalue()).hexdigest()
        specs[name] = ArraySpec(file=f"{name}.npy", sha256=checksum, dtype=str(array.dtype), shape=array.shape)
        registry.store.put(f"{prefix}/{name}.npy", buffer.getvalue())
    values = draft.model_dump() | {"version": OLD_VERSION, "created_at": datetime.now(UTC), "arrays": specs}
    manifest = Manifest(**values)
    registry.store.put(f"{prefix}/manifest.json", manifest.model_dump_json().encode())
    return manifest
