"""What was changed, cut or made by another version is refused with both values, and the champion stays."""

import hashlib
import io
import pickle

import numpy as np
import orjson
import pytest

from millrace.errors import CorruptError
from millrace.registry.registry import champion_key
from tests.registry.made import made


@pytest.fixture
def versions(registry):
    """The champion and a newer version that a test damages."""
    good, newer = (registry.publish(*made("courses", "popularity", seed)) for seed in (1, 2))
    registry.promote("courses", "popularity", good.version)
    return good.version, newer.version


def refused(registry, versions, pattern: str) -> None:
    with pytest.raises(CorruptError, match=pattern):
        registry.promote("courses", "popularity", versions[1])
    assert registry.champion("courses", "popularity").version == versions[0]


def changed(registry, version: str, change) -> None:
    key = f"models/courses/popularity/{version}/manifest.json"
    manifest = orjson.loads(registry.store.get(key)[0])
    change(manifest)
    registry.store.put(key, orjson.dumps(manifest))


def test_truncated_array_is_rejected(registry, versions):
    key = f"models/courses/popularity/{versions[1]}/centres.npy"
    content = registry.store.get(key)[0]
    registry.store.put(key, content[:-8])
    refused(registry, versions, rf"{key} has the checksum .* over {len(content) - 8} bytes; its manifest says")


def test_wrong_checksum_is_rejected(registry, versions):
    def change(manifest):
        manifest["arrays"]["mean"]["sha256"] = "0" * 64

    changed(registry, versions[1], change)
    refused(registry, versions, r"mean\.npy has the checksum .* its manifest says 0000000000000000")


def test_missing_array_is_rejected(registry, versions):
    registry.store.delete(f"models/courses/popularity/{versions[1]}/scale.npy")
    refused(registry, versions, r"scale\.npy is named by its manifest and does not exist")


def test_array_with_wrong_shape_is_rejected(registry, versions):
    def change(manifest):
        manifest["arrays"]["mean"]["shape"] = [9]

    changed(registry, versions[1], change)
    refused(registry, versions, r"mean\.npy is float64\[4\]; its manifest says float64\[9\]")


def test_pickle_is_never_read(registry, versions):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for content in (buffer.getvalue(), pickle.dumps([1.0])):

        def change(manifest, content=content):
            manifest["arrays"]["mean"]["sha256"] = hashlib.sha256(content).hexdigest()

        registry.store.put(f"models/courses/popularity/{versions[1]}/mean.npy", content)
        changed(registry, versions[1], change)
        refused(registry, versions, r"mean\.npy is not an array")


def test_manifest_of_unsupported_format_is_rejected(registry, versions):
    changed(registry, versions[1], lambda manifest: manifest.update(format="millrace.model/9"))
    refused(registry, versions, r"format 'millrace\.model/9'; this version of Millrace reads 'millrace\.model/1'")


def test_manifest_of_different_record_schema_is_rejected(registry, versions):
    changed(registry, versions[1], lambda manifest: manifest.update(schema_hash="0123456789ab"))
    refused(registry, versions, "schema 0123456789ab; the contract of courses is now [0-9a-f]{12}. Train it again")


def test_truncated_manifest_is_rejected(registry, versions):
    key = f"models/courses/popularity/{versions[1]}/manifest.json"
    registry.store.put(key, registry.store.get(key)[0][:300])
    refused(registry, versions, f"{key} is not JSON")


@pytest.mark.parametrize(
    ("field", "value"),
    [("features", []), ("names", {}), ("algorithm", "forest"), ("arrays", {}), ("data", None), ("extra", 1)],
)
def test_manifest_inconsistent_with_its_arrays_is_rejected(registry, versions, field, value):
    changed(registry, versions[1], lambda manifest: manifest.update({field: value}))
    refused(registry, versions, r"manifest\.json")


def test_moved_manifest_is_rejected(registry, versions):
    changed(registry, versions[1], lambda manifest: manifest.update(model="price"))
    refused(registry, versions, "describes courses/price .*; it was moved here")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 1}', b'{"version":"a","promoted_at":"b","history":"c"}']
)
def test_corrupt_champion_file_is_reported_by_name(registry, content):
    registry.store.put(champion_key("courses", "popularity"), content)
    with pytest.raises(CorruptError, match=r"models/courses/popularity/champion\.json can't be read"):
        registry.champion("courses", "popularity")
