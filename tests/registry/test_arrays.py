"""Arrays are written and read a piece at a time, and are held in memory once."""

import hashlib
import io
import tracemalloc

import numpy as np
import pytest

from millrace.errors import CorruptError
from millrace.registry.arrays import count_bytes, describe_array, map_array, read_array, save_array

ARRAYS = {
    "empty": np.empty(0, np.int64),
    "scalar": np.array(3.5),
    "matrix": np.arange(12, dtype=np.float32).reshape(3, 4),
    "transposed": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "bytes": np.arange(250, dtype=np.uint8),
}


def pack(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    save_array(file, array)
    return file.getvalue()


def cut(content: bytes, size: int = 100) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize("name", ARRAYS)
def test_array_is_read_and_mapped_as_it_was_written(name, tmp_path):
    array = ARRAYS[name]
    content, spec = pack(array), describe_array(name, array)
    assert spec.sha256 == hashlib.sha256(content).hexdigest()
    assert count_bytes(spec) == array.nbytes
    file = tmp_path / "folder" / spec.file
    for result in (read_array(spec, cut(content), "here"), map_array(spec, cut(content), "here", file)):
        assert (result.dtype, result.shape, result.tolist()) == (array.dtype, array.shape, array.tolist())
    assert [path.name for path in file.parent.iterdir()] == [spec.file]


@pytest.mark.parametrize("size", [0, 5, 130, 200])
def test_truncated_file_is_neither_read_nor_kept(size, tmp_path):
    array = ARRAYS["bytes"]
    spec, content = describe_array("bytes", array), pack(array)[:size]
    file = tmp_path / spec.file
    for load in (read_array, lambda *arguments: map_array(*arguments, file)):
        with pytest.raises(CorruptError, match=f"here has the checksum .* over {size} bytes"):
            load(spec, cut(content), "here")
    assert list(tmp_path.iterdir()) == []


def test_file_larger_than_its_manifest_is_not_read_to_its_end():
    spec = describe_array("bytes", ARRAYS["bytes"])
    pieces = iter([bytes(3000)] * 1000)
    with pytest.raises(CorruptError, match="here has more than the 4346 bytes of its manifest"):
        read_array(spec, pieces, "here")
    assert len(list(pieces)) == 998


@pytest.mark.parametrize("change", [{"dtype": "nonsense"}, {"shape": (-1, 4)}])
def test_array_of_unknown_form_is_corrupt(change):
    spec = describe_array("bytes", ARRAYS["bytes"]).model_copy(update=change)
    with pytest.raises(CorruptError, match=r"bytes\.npy"):
        count_bytes(spec)


@pytest.mark.parametrize("way", ["describe", "read", "map"])
def test_large_array_is_held_once(way, tmp_path):
    array = np.zeros(8_000_000, dtype=np.uint8)
    content, spec = pack(array), describe_array("large", array)
    pieces = (content[start : start + 65_536] for start in range(0, len(content), 65_536))
    tracemalloc.start()
    try:
        if way == "describe":
            describe_array("large", array)
        elif way == "read":
            read_array(spec, pieces, "here")
        else:
            map_array(spec, pieces, "here", tmp_path / "large.npy")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # numpy writes pieces of 16 MB; an array that is read grows by an eighth at a time.
    assert peak < {"describe": 1.2, "read": 1.4, "map": 0.2}[way] * array.nbytes
