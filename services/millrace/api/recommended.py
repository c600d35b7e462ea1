"""A recommender in memory: its arrays mapped from files, so that workers share them, and the answers it gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from millrace.errors import NotFound
from millrace.online.growing import Growing
from millrace.online.overlays import Overlay
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
    overlay: Overlay = field(default_factory=Overlay)
    """What events have added since: it grows while the version is served."""
    _model: Growing = field(init=False)

    def __post_init__(self) -> None:
        loaded = stored.load(self.manifest.algorithm, self.arrays)
        object.__setattr__(self, "_model", Growing(loaded, self.arrays, self.manifest.parameters, self.overlay))

    @property
    def model(self) -> Recommender:
        """The model as the events so far have made it."""
        return self._model.now()

    def history(self, user_id: str) -> list[int | str]:
        """The user's items, oldest first, one that the version does not know by its id; empty for a stranger."""
        return [*self._stored(user_id).tolist(), *self.overlay.users.get(user_id, ())]

    def user(self, user_id: str) -> np.ndarray:
        """The numbers of the user's items, oldest first."""
        stored_items, tail = self._stored(user_id), self.overlay.users.get(user_id)
        if not tail:
            return stored_items
        return np.concatenate([stored_items, [item for item in tail if not isinstance(item, str)]]).astype(np.int64)

    def _stored(self, user_id: str) -> np.ndarray:
        index = stored.place_of(self.arrays["users"], user_id)
        starts, items = self.arrays["history_starts"], self.arrays["history_items"]
        return items[:0] if index is None else items[starts[index] : starts[index + 1]]

    def item(self, item_id: str) -> int:
        """Raises NotFound for an item that the version does not know."""
        index = stored.place_of(self.arrays["item_ids"], item_id)
        if index is None:
            allowed = f"an item of {self.manifest.full_name} {self.manifest.version}"
            raise NotFound(
                f"item_id: {shown(item_id)} is not known; allowed: {allowed}. `popular` lists some.",
                field="item_id",
                allowed=allowed,
            )
        return index

    def items(self, ids: list[str]) -> np.ndarray:
        """The numbers of those ids that are known, in their order."""
        places = [stored.place_of(self.arrays["item_ids"], one) for one in ids]
        return np.array([place for place in places if place is not None], dtype=np.int64)

    def recommend(self, history: np.ndarray | Sequence[int], n: int, keep_known: bool) -> dict[str, Any]:
        """The answer to a history; popularity where it is empty, and it says so."""
        model = self.model
        known = cleaned(history, model.items)
        if not len(known):
            return self.popular(n) | {"fallback": FALLBACK}
        return self.spelled(model.top(known, n, keep_known=keep_known))

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

    def named(self, item: int | str) -> dict[str, str]:
        if isinstance(item, str):
            return {"id": item, "name": item}
        return {"id": self.arrays["item_ids"][item].decode(), "name": self.arrays["item_names"][item].decode()}
