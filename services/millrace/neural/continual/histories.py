"""Who took what, in the order of arrival: each item of a user once, where it came first, as the networks learn it."""

from array import array
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from millrace.recommend.sequences import Sequences


class TextTable:
    """Texts and their numbers, in the order in which they came."""

    def __init__(self, texts: Iterable[str] = ()):
        self.texts = list(texts)
        self.numbers = {text: number for number, text in enumerate(self.texts)}

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, text: str) -> int:
        number = self.numbers.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number

    def array(self) -> np.ndarray:
        """uint8: a line each; no id holds a control character."""
        return np.array(bytearray("\n".join(self.texts).encode()), dtype=np.uint8)

    @classmethod
    def of(cls, content: np.ndarray) -> "TextTable":
        return cls(content.tobytes().decode().split("\n") if len(content) else ())


class HistoryTable:
    """`walks[user]` are item numbers, oldest first; they only ever grow. 4 bytes an event and some 150 a user."""

    def __init__(self) -> None:
        self.users, self.walks = TextTable(), []

    def add(self, user: str, item: int) -> tuple[int, int] | None:
        """(user's number, place of the item in the walk), or None where the user has the item already."""
        number = self.users.add(user)
        if number == len(self.walks):
            self.walks.append(array("i"))
        walk = self.walks[number]
        if item in walk:
            return None
        walk.append(item)
        return number, len(walk) - 1

    def walk(self, user: str) -> "array[int]":
        number = self.users.numbers.get(user)
        return array("i") if number is None else self.walks[number]

    def until(self, user: int, position: int, depth: int) -> np.ndarray:
        """(at most `depth`,) int32: the items that end at this place, itself included."""
        return np.array(self.walks[user][max(0, position + 1 - depth) : position + 1], dtype=np.int32)

    def sequences(self, items: int) -> Sequences:
        starts = np.concatenate([[0], np.cumsum([len(walk) for walk in self.walks], dtype=np.int64)]).astype(np.int64)
        flat = np.array(array("i", b"".join(walk.tobytes() for walk in self.walks)), dtype=np.int32)
        return Sequences(flat, starts, items)

    def arrays(self) -> dict[str, np.ndarray]:
        sequences = self.sequences(0)
        return {"users": self.users.array(), "starts": sequences.starts, "items": sequences.items}

    @classmethod
    def load(cls, arrays: dict[str, np.ndarray]) -> "HistoryTable":
        made = cls()
        made.users = TextTable.of(arrays["users"])
        ends, flat = arrays["starts"].tolist(), arrays["items"].astype(np.int32)
        made.walks = [array("i", flat[start:end].tobytes()) for start, end in pairwise(ends)]
        return made
