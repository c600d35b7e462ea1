"""Arrays to checksummed `.npy` files and back, a piece at a time; nothing that could run code is ever read."""

import hashlib
import io
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from millrace.errors import CorruptError
from millrace.registry.manifest import ArraySpec

MAX_HEADER_BYTES = 4096
"""Bytes before the values; numpy writes 128 for arrays such as ours."""
HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class HashWriter:
    """A file to write to that keeps the checksum of its content, and nothing else."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def write(self, content: bytes, /) -> int:
        self.sha256.update(content)
        return len(content)


def describe_array(name: str, array: np.ndarray) -> ArraySpec:
    """What the manifest says about an array: its file's checksum is computed without making the file."""
    writer = HashWriter()
    save_array(writer, array)
    return ArraySpec(file=f"{name}.npy", sha256=writer.sha256.hexdigest(), dtype=str(array.dtype), shape=array.shape)


def save_array(file: BinaryIO | HashWriter, array: np.ndarray) -> None:
    """Write the `.npy` of an array, a piece at a time."""
    np.save(file, np.asarray(array, order="C"), allow_pickle=False)


def count_bytes(spec: ArraySpec) -> int:
    """The bytes that an array takes in memory. Raises CorruptError for a dtype or a shape that is none."""
    try:
        itemsize = np.dtype(spec.dtype).itemsize
    except TypeError:
        raise CorruptError(f"{spec.file} is of the dtype {spec.dtype!r}, which is unknown.", field=spec.file) from None
    if any(size < 0 for size in spec.shape):
        raise CorruptError(f"{spec.file} has the shape {list(spec.shape)}; no side may be below 0.", field=spec.file)
    return itemsize * math.prod(spec.shape)


def check_chunks(spec: ArraySpec, chunks: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The pieces of a file. Raises CorruptError after the last if the checksum is not that of the manifest.

    A file that is larger than its manifest allows is not read to its end.
    """
    sha256, size, largest = hashlib.sha256(), 0, count_bytes(spec) + MAX_HEADER_BYTES
    for chunk in chunks:
        sha256.update(chunk)
        size += len(chunk)
        if size > largest:
            raise CorruptError(f"{where} has more than the {largest} bytes of its manifest.", field=spec.file)
        yield chunk
    if sha256.hexdigest() != spec.sha256:
        raise CorruptError(
            f"{where} has the checksum {sha256.hexdigest()[:16]}... over {size} bytes; its manifest says "
            f"{spec.sha256[:16]}.... The file was truncated or changed.",
            field=spec.file,
        )


def read_array(spec: ArraySpec, chunks: Iterable[bytes], where: str) -> np.ndarray:
    """The array in the pieces of a file, which lie in memory once, checked against the manifest.

    Raises CorruptError with both values of what differs.
    """
    content = bytearray()
    for chunk in check_chunks(spec, chunks, where):
        content += chunk
    head = io.BytesIO(content[:MAX_HEADER_BYTES])
    try:
        shape, is_fortran, dtype = HEADER_READERS[npy.read_magic(head)](head)
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        order = "F" if is_fortran else "C"
        array = np.ndarray(shape, dtype, content, head.tell(), order=order)
    except (ValueError, EOFError, SyntaxError, TypeError, KeyError) as error:
        raise CorruptError(f"{where} is not an array: {error}.", field=spec.file) from None
    check_form(spec, array, where)
    return array


def map_array(spec: ArraySpec, chunks: Iterable[bytes], where: str, file: Path) -> np.ndarray:
    """Write the pieces of a file to `file`, whole or not at all, and map it. Raises CorruptError as `read_array`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as opened:
            opened.writelines(check_chunks(spec, chunks, where))
        try:
            array = np.load(unfinished, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, SyntaxError) as error:
            raise CorruptError(f"{where} is not an array: {error}.", field=spec.file) from None
        check_form(spec, array, where)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return array


def check_form(spec: ArraySpec, array: np.ndarray, where: str) -> None:
    """Raises CorruptError where dtype or shape is not that of the manifest."""
    if (str(array.dtype), array.shape) != (spec.dtype, spec.shape):
        raise CorruptError(
            f"{where} is {array.dtype}{list(array.shape)}; its manifest says {spec.dtype}{list(spec.shape)}.",
            field=spec.file,
        )
