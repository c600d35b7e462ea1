"""A recommender in memory: its arrays mapped from files, so that workers share them, and the answers it gives."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from millrace.errors import NotFound
from millrace.recommend import stored
from millrace.recommend.answer import Answer, Recommender, cleaned
from millrace.records.numbers import shown
from millrace.registry.manifest import Manifest

FALLBACK = "popularity"


@dataclass(frozen=True)
class Recommended:
    """One loaded version. Immutable, so that a request which has begun on it also ends on it."""

    manifest: Manifest
    arrays: dict[str, np.ndarray]
    model: Recommender = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", stored.load(self.manifest.algorithm, self.arrays))

    def user(self, user_id: str) -> np.ndarray | None:
        """The user's items, oldest first; None for a user without history."""
        place = found(self.arrays["users"], user_id)
        if place is None:
            return None
        starts = self.arrays["history_starts"]
        return self.arrays["history_items"][starts[place] : starts[place + 1]]

    def item(self, item_id: str) -> int:
        """Raises NotFound for an item that the version does not know."""
        place = found(self.arrays["item_ids"], item_id)
        if place is None:
            allowed = f"an item of {self.manifest.full_name} {self.manifest.version}"
            raise NotFound(
                f"item_id: {shown(item_id)} is not known; allowed: {allowed}. `popular` lists some.",
                field="item_id",
                allowed=allowed,
            )
        return place

    def items(self, ids: list[str]) -> np.ndarray:
        """The numbers of those ids that are known, in their order."""
        places = [found(self.arrays["item_ids"], one) for one in ids]
        return np.array([place for place in places if place is not None], dtype=np.int64)

    def recommend(self, history: np.ndarray, n: int, keep_known: bool) -> dict[str, Any]:
        """The answer to a history; popularity where it is empty, and it says so."""
        known = cleaned(history, self.model.items)
        if not len(known):
            return self.popular(n) | {"fallback": FALLBACK}
        return self.spelled(self.model.top(known, n, keep_known=keep_known))

    def popular(self, n: int) -> dict[str, Any]:
        """Windowed popularity, best first; its scores are 0, as nothing was said about anybody."""
        chosen = np.asarray(self.model.popular[:n], dtype=np.int64)
        return self.spelled(Answer(chosen, np.zeros(len(chosen)), [[] for _ in chosen]))

    def spelled(self, answer: Answer) -> dict[str, Any]:
        items = [
            {**self.named(item), "score": score, "because": [self.named(one) for one in reasons]}
            for item, score, reasons in zip(answer.items.tolist(), answer.scores.tolist(), answer.because, strict=True)
        ]
        return {"items": items, "fallback": None, **self.manifest.said}

    def named(self, item: int) -> dict[str, str]:
        return {"id": self.arrays["item_ids"][item].decode(), "name": self.arrays["item_names"][item].decode()}


def found(ids: np.ndarray, text: str) -> int | None:
    """The place of a text in a sorted array of bytes, or None."""
    wanted = text.encode("utf-8", "surrogatepass")
    if not wanted or len(wanted) > ids.dtype.itemsize or wanted.endswith(b"\0"):
        return None
    place = int(np.searchsorted(ids, np.bytes_(wanted)))
    return place if place < len(ids) and ids[place] == wanted else None
