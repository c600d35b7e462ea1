"""Checks tensor data, JSON or trailing binary, against shape and datatype (github.com/kserve/open-inference-protocol).

Follows the binary tensor data extension and Triton's BYTES layout: four-byte little-endian length before each element.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, cast

import numpy as np

from millrace.errors import BadInputError
from millrace.records.numbers import show

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]  # fmt: skip
DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{f"UINT{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"INT{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
"""All but BYTES, in the order of bytes that the protocol prescribes."""
LENGTH_PREFIX = struct.Struct("<I")
NUMBER_TYPES = {int, float}


@dataclass(frozen=True)
class TensorSpec:
    """What a tensor says of itself. `names` are the columns of its second dimension, where it has one of several."""

    field: str
    datatype: str
    shape: list[int]
    names: Sequence[str] = ()

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def reject(self, what: str, allowed: str) -> BadInputError:
        return BadInputError(
            f"{self.field}: {what} is not usable; allowed: {allowed}.", field=self.field, allowed=allowed
        )

    def reject_value(self, index: int, value: object, allowed: str) -> BadInputError:
        """The error for one element, by its row and, where the tensor has several columns, their name."""
        row, column = divmod(index, len(self.names) or 1)
        field = f"{self.field}[{row}]" + (f".{self.names[column]}" if self.names else "")
        allowed = f"{allowed}, as its datatype {self.datatype} says"
        return BadInputError(f"{field}: {show(value)} is not usable; allowed: {allowed}.", field=field, allowed=allowed)


def read_json(form: TensorSpec, data: list[object]) -> list[object]:
    """The elements in row-major order, from a flat list or from lists nested as the shape says.

    Raises BadInputError for another count, another nesting, and elements that are not of the datatype.
    """
    if data and isinstance(data[0], list):
        wanted = f"{form.size} values, flat, or nested as shape {form.shape} says"
        if len(form.shape) < 2 or len(data) != form.shape[0]:
            raise form.reject(f"data of {len(data)} lists", wanted)
        for index, row in enumerate(data):
            if not isinstance(row, list) or len(row) != form.shape[1]:
                what = f"a list of {len(row)}" if isinstance(row, list) else show(row)
                raise form.reject(f"data[{index}], {what},", f"a list of {form.shape[1]} as shape {form.shape} says")
        rows: list[Any] = data
        data = list(chain.from_iterable(rows))
    if len(data) != form.size:
        raise form.reject(f"data of {len(data)} values", f"{form.size} as shape {form.shape} says")
    check_elements(form, data)
    return data


def check_elements(form: TensorSpec, data: list[object]) -> None:
    """Raises BadInputError for the first element that is not of the datatype. The common case looks at types alone."""
    kinds, datatype = set(map(type, data)), form.datatype
    if datatype == "BYTES":
        wanted, allowed = {str}, "text"
    elif datatype == "BOOL":
        wanted, allowed = {bool}, "true, false"
    elif datatype[0] == "F":
        wanted, allowed = NUMBER_TYPES, "a number"
    else:
        wanted, allowed = {int}, "a whole number"
    if not kinds <= wanted:
        index = next(index for index, value in enumerate(data) if type(value) not in wanted)
        raise form.reject_value(index, data[index], allowed)
    if datatype in ("BYTES", "BOOL", "FP64"):
        return  # a number of JSON is finite
    low, high = datatype_bounds(datatype)
    numbers = cast("list[float]", data)
    if min(numbers) < low or max(numbers) > high:
        index = next(index for index, value in enumerate(numbers) if not low <= value <= high)
        limits = f"{low} to {high}" if isinstance(low, int) else f"{low:g} to {high:g}"
        raise form.reject_value(index, data[index], f"{allowed} from {limits}")


def datatype_bounds(datatype: str) -> tuple[float, float]:
    """The least and the greatest number of a datatype."""
    dtype = DTYPES[datatype]
    if dtype.kind == "f":
        most = float(np.finfo(dtype).max)
        return -most, most
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def read_binary(form: TensorSpec, data: memoryview) -> list[object]:
    """The elements in row-major order. Raises BadInputError for another count of bytes, or text that is not UTF-8."""
    if form.datatype == "BYTES":
        return _read_texts(form, data)
    dtype = DTYPES[form.datatype]
    wanted = form.size * dtype.itemsize
    if len(data) != wanted:
        raise form.reject(
            f"binary_data_size {len(data)}", f"{wanted} bytes as shape {form.shape} of {form.datatype} says"
        )
    if form.datatype == "BOOL":
        values = np.frombuffer(data, np.uint8)
        if (values > 1).any():
            index = int((values > 1).argmax())
            raise form.reject_value(index, int(values[index]), "a byte of 0 or 1")
        return values.astype(bool).tolist()
    return np.frombuffer(data, dtype).tolist()


def _read_texts(form: TensorSpec, data: memoryview) -> list[object]:
    texts: list[object] = []
    at = 0
    while at < len(data) and len(texts) <= form.size:
        if at + LENGTH_PREFIX.size > len(data):
            break
        (length,) = LENGTH_PREFIX.unpack_from(data, at)
        begin, at = at + LENGTH_PREFIX.size, at + LENGTH_PREFIX.size + length
        if at > len(data):
            break
        try:
            texts.append(str(data[begin:at], "utf-8"))
        except UnicodeDecodeError:
            raise form.reject_value(len(texts), bytes(data[begin : min(at, begin + 40)]), "text in UTF-8") from None
    if at != len(data) or len(texts) != form.size:
        allowed = f"{form.size} texts as shape {form.shape} says, each after its length in 4 bytes"
        raise form.reject(f"binary data of {len(data)} bytes", allowed)
    return texts


def write_binary(datatype: str, values: Sequence[object] | np.ndarray) -> bytes:
    """The bytes of an output tensor."""
    if datatype != "BYTES":
        return np.ascontiguousarray(values, DTYPES[datatype]).tobytes()
    encoded = [str(value).encode() for value in values]
    return b"".join(part for text in encoded for part in (LENGTH_PREFIX.pack(len(text)), text))
