"""Texts of versions that were published before 0.4, arrays of fixed width, as TextArrays. None is written."""

from collections.abc import Collection, Mapping

import numpy as np

from millrace.registry.manifest import ArraySpec
from millrace.runtime.text_arrays import TextArray, text_array_names

FIXED_WIDTH_DTYPE = "|S"
"""How the dtype of such an array begins."""
BLOCK_BYTES = 1 << 24
"""Bytes of the array that are looked at together."""


def select_arrays(specs: Mapping[str, ArraySpec], names: Collection[str]) -> list[str]:
    """Those of a version's arrays that hold what is called `names` today."""
    fixed_width = {stored for stored, spec in specs.items() if spec.dtype.startswith(FIXED_WIDTH_DTYPE)}
    wanted = {stored for stored in fixed_width if not set(names).isdisjoint(text_array_names(stored))} | set(names)
    return [stored for stored in specs if stored in wanted]


def split_fixed_width(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays, with the two arrays of a TextArray in place of each that is of fixed width."""
    result: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        is_text = str(array.dtype).startswith(FIXED_WIDTH_DTYPE) and array.ndim == 1
        result |= to_text_array(array).to_arrays(name) if is_text else {name: array}
    return result


def to_text_array(array: np.ndarray) -> TextArray:
    """The texts of an array (n,) of fixed width, without the zeros that pad them."""
    lengths = np.char.str_len(array)
    offsets = np.zeros(len(array) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    content = np.empty(int(offsets[-1]), dtype=np.uint8)
    width = array.dtype.itemsize
    rows = max(1, BLOCK_BYTES // width)
    for start in range(0, len(array), rows):
        block = np.ascontiguousarray(array[start : start + rows]).view(np.uint8).reshape(-1, width)
        filled = np.arange(width) < lengths[start : start + rows, None]
        content[offsets[start] : offsets[start + len(block)]] = block[filled]
    return TextArray(offsets, content)
