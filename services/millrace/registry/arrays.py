"""Arrays to checksummed `.npy` bytes and back; nothing that could run code is ever read."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np

from millrace.errors import CorruptError
from millrace.registry.manifest import ArraySpec


def pack_array(name: str, array: np.ndarray) -> tuple[ArraySpec, bytes]:
    """The `.npy` bytes of an array and what the manifest says about them."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    content = buffer.getvalue()
    checksum = hashlib.sha256(content).hexdigest()
    return ArraySpec(file=f"{name}.npy", sha256=checksum, dtype=str(array.dtype), shape=array.shape), content


def unpack_array(spec: ArraySpec, content: bytes, where: str) -> np.ndarray:
    """The array, checked against the manifest. Raises CorruptError with both values of what differs."""
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != spec.sha256:
        raise CorruptError(
            f"{where} has the checksum {checksum[:16]}... over {len(content)} bytes; its manifest says "
            f"{spec.sha256[:16]}.... The file was truncated or changed.",
            field=spec.file,
        )
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, SyntaxError) as error:
        raise CorruptError(f"{where} is not an array: {error}.", field=spec.file) from None
    if (str(array.dtype), array.shape) != (spec.dtype, spec.shape):
        raise CorruptError(
            f"{where} is {array.dtype}{list(array.shape)}; its manifest says {spec.dtype}{list(spec.shape)}.",
            field=spec.file,
        )
    return array


def write_mapped(file: Path, content: bytes) -> np.ndarray:
    """Write checked bytes to a file, whole or not at all, and map them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(file)
    return np.load(file, mmap_mode="r", allow_pickle=False)
