"""A cache whose keys strangers choose: it is bounded by the bytes that it holds, not by how many texts there are."""

from collections.abc import Callable
from sys import getsizeof
from typing import TypeVar

ENTRY_BYTES = 200  # what an entry takes beside its key and value: its place in the table, and the parts of a tuple
Value = TypeVar("Value")


class TextCache(dict[str, Value]):
    """What `compute` says of a text, as `cache[text]`; what it raises is raised, and not remembered.

    Once keys and values take more than `budget` bytes, it is emptied: what is asked for often is back at once, and a
    hit costs no more than a look into a dictionary. Callers bound the length of a single text.
    """

    def __init__(self, compute: Callable[[str], Value], budget: int):
        super().__init__()
        self._compute, self._budget = compute, budget
        self.bytes_held = 0

    def __missing__(self, text: str) -> Value:
        value = self._compute(text)
        size = getsizeof(text) + getsizeof(value) + ENTRY_BYTES
        if self.bytes_held + size > self._budget:
            self.clear()
            self.bytes_held = 0
        self.bytes_held += size
        self[text] = value
        return value
