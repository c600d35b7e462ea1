"""Interactions as rows of a CSR structure: a user's items, oldest first, in one flat array."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from millrace.errors import BadInputError


@dataclass(frozen=True)
class Sequences:
    """`items`: (n,) int32 item numbers, all users one after the other; `starts`: (users + 1,) int64.

    `times`: (n,) float64 seconds since 1970-01-01 UTC, not falling within a user, or None where a source has none.
    `item_ids`: (item_count,) text, the ids behind the numbers, or None. 12 bytes an interaction and 8 a user.
    """

    items: np.ndarray
    starts: np.ndarray
    item_count: int
    times: np.ndarray | None = None
    item_ids: np.ndarray | None = None

    def __post_init__(self) -> None:
        # SciPy sorts in place what it is given; here the order is the data, so such a mistake shall be an error.
        for name in ("items", "starts", "times"):
            if (array := getattr(self, name)) is not None:
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, user: int) -> np.ndarray:
        return self.items[self.starts[user] : self.starts[user + 1]]

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.starts)

    @property
    def users(self) -> np.ndarray:
        """(n,) the user of each interaction."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def ages(self) -> np.ndarray:
        """(n,) how many interactions of the same user came later; 0 is the newest."""
        return np.repeat(self.starts[1:], self.lengths) - 1 - np.arange(len(self.items))

    def where(self, kept: np.ndarray) -> "Sequences":
        """The interactions for which the (n,) mask is true; every user stays, perhaps with none."""
        counts = np.concatenate([[0], np.cumsum(kept)])
        times = None if self.times is None else self.times[kept]
        return Sequences(self.items[kept], counts[self.starts], self.item_count, times, self.item_ids)

    def take(self, users: np.ndarray) -> "Sequences":
        """The sequences of these users, in this order."""
        lengths = self.lengths[users]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(starts[-1]) + np.repeat(self.starts[:-1][users] - starts[:-1], lengths)
        times = None if self.times is None else self.times[places]
        return Sequences(self.items[places], starts, self.item_count, times, self.item_ids)

    def distinct(self) -> "Sequences":
        """Each item of a user once, where it came first: what comes next is then always something new."""
        order = np.lexsort((np.arange(len(self.items)), self.items, self.users))
        again = (np.diff(self.items[order]) == 0) & (np.diff(self.users[order]) == 0)
        kept = np.ones(len(self.items), dtype=bool)
        kept[order[1:][again]] = False
        return self.where(kept)


def number_sequences(histories: Iterable[Sequence[str]], times: Sequence[Sequence[float]] | None = None) -> Sequences:
    """Sequences of ids; items get their numbers in order of first appearance. Sorted by time, stably, where given."""
    numbers: dict[str, int] = {}
    arrays = [np.array([numbers.setdefault(item, len(numbers)) for item in part], dtype=np.int32) for part in histories]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in arrays], dtype=np.int64)]).astype(np.int64)
    items = np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int32)
    ids = np.array(list(numbers), dtype=np.str_)
    if times is None:
        return Sequences(items, starts, len(numbers), None, ids)
    if [len(part) for part in times] != [len(part) for part in arrays]:
        raise BadInputError("There must be one time for each item of a sequence.", code="bad_sequence", field="times")
    seconds = np.concatenate([np.asarray(part, dtype=np.float64) for part in times]) if arrays else np.empty(0)
    plain = Sequences(items, starts, len(numbers), seconds, ids)
    order = np.lexsort((np.arange(len(items)), seconds, plain.users))
    return Sequences(items[order], starts, len(numbers), seconds[order], ids)
