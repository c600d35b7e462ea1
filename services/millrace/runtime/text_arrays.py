"""Texts as two arrays: the offset at which each begins, and the UTF-8 of all of them, one after the other.

Their size is that of the texts: one that is long costs its own bytes, where an array of fixed width would make every
other as wide. Both arrays may be mapped from files; a text is decoded when it is asked for.
"""

import operator
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np

from millrace.errors import CorruptError

BLOCK_TEXTS = 1 << 14
"""Texts that are held as Python objects at a time, where all are looked at."""
SAMPLE_STEP = 64
"""Of so many texts one stays in memory once something is searched for: it saves most of a search's steps."""


def text_array_names(name: str) -> tuple[str, str]:
    """The names of the two arrays of the texts `name`, offsets first."""
    return f"{name}_offsets", f"{name}_bytes"


def read_text_arrays(arrays: Mapping[str, np.ndarray]) -> "dict[str, TextArray]":
    """All texts of a version, by name. Raises CorruptError."""
    return {
        name: TextArray.from_arrays(arrays, name)
        for name in (array.removesuffix("_offsets") for array in arrays)
        if set(text_array_names(name)) <= set(arrays)
    }


class TextArray:
    """n texts. `offsets` (n + 1,) int64 rises from 0 to the number of bytes; `content` (bytes,) uint8 is UTF-8."""

    __slots__ = ("_content", "_offsets", "_samples", "content", "offsets")

    def __init__(self, offsets: np.ndarray, content: np.ndarray):
        self.offsets, self.content = offsets, content
        # An element of a memoryview is read ten times as fast as one of an array, above all of a mapped one.
        self._offsets, self._content = offsets.data, content.data
        self._samples: list[bytes] | None = None

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "TextArray":
        encoded = [text.encode() for text in texts]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
        return cls(offsets, np.frombuffer(b"".join(encoded), dtype=np.uint8))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> "TextArray":
        """The texts `name` of a version's arrays. Raises CorruptError that says what is missing or does not fit."""
        names = text_array_names(name)
        if lacking := [array for array in names if array not in arrays]:
            raise CorruptError(f"lacks the arrays {', '.join(lacking)}.", field="arrays")
        offsets, content = (arrays[array] for array in names)
        if offsets.dtype != np.int64 or offsets.ndim != 1 or not len(offsets):
            sentence = f"{names[0]}.npy is {offsets.dtype}{list(offsets.shape)}; texts need int64[n + 1]."
            raise CorruptError(sentence, field=names[0])
        if content.dtype != np.uint8 or content.ndim != 1:
            sentence = f"{names[1]}.npy is {content.dtype}{list(content.shape)}; texts need uint8[bytes]."
            raise CorruptError(sentence, field=names[1])
        if offsets[0] != 0 or offsets[-1] != len(content) or (offsets[1:] < offsets[:-1]).any():
            sentence = f"{names[0]}.npy must rise from 0 to the {len(content)} bytes of {names[1]}.npy."
            raise CorruptError(sentence, field=names[0])
        return cls(offsets, content)

    def to_arrays(self, name: str) -> dict[str, np.ndarray]:
        """The two arrays by which a version has these texts as `name`."""
        return dict(zip(text_array_names(name), (self.offsets, self.content), strict=True))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> str:
        """One text; a negative index counts from the end. Raises IndexError."""
        if index < 0:
            index += len(self)
            if index < 0:
                raise IndexError("the index lies before the first text")
        offsets = self._offsets
        return str(self._content[offsets[index] : offsets[index + 1]], "utf-8")

    def __iter__(self) -> Iterator[str]:
        return (str(text, "utf-8") for block in self._encoded_blocks() for text in block)

    def to_list(self) -> list[str]:
        return list(self)

    def find(self, text: str) -> int | None:
        """The index of a text where the texts are sorted by their bytes, or None where it is not among them."""
        wanted = text.encode("utf-8", "surrogatepass")
        if self._samples is None:
            self._samples = [self[index].encode() for index in range(0, len(self), SAMPLE_STEP)]
        offsets, content = self._offsets, self._content
        high = bisect_right(self._samples, wanted) * SAMPLE_STEP
        low, high = max(high - SAMPLE_STEP, 0), min(high, len(self))
        while low < high:
            middle = (low + high) // 2
            candidate = bytes(content[offsets[middle] : offsets[middle + 1]])
            if candidate == wanted:
                return middle
            low, high = (middle + 1, high) if candidate < wanted else (low, middle)
        return None

    def is_strictly_sorted(self) -> bool:
        """Whether the texts are sorted by their bytes, each once, as `find` needs them."""
        last: list[bytes] = []
        for block in self._encoded_blocks():
            if (last and last[-1] >= block[0]) or not all(map(operator.lt, block, block[1:])):
                return False
            last = block[-1:]
        return True

    def _encoded_blocks(self) -> Iterator[list[bytes]]:
        for start in range(0, len(self), BLOCK_TEXTS):
            offsets = self.offsets[start : start + BLOCK_TEXTS + 1].tolist()
            content = bytes(self._content[offsets[0] : offsets[-1]])
            first = offsets[0]
            yield [content[begin - first : end - first] for begin, end in pairwise(offsets)]
