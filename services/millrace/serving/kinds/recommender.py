"""A recommender in memory: its arrays mapped from files, so that workers share them, and the answers it gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from millrace.errors import NotFoundError
from millrace.recommend import loading
from millrace.recommend.top_items import Recommender, TopItems, clean_history
from millrace.records.numbers import show
from millrace.runtime.text_arrays import TextArray
from millrace.serving.kinds.base import LoadedModel
from millrace.serving.live_model import LiveModel
from millrace.serving.overlays import Overlay

FALLBACK = "popularity"


@dataclass(frozen=True)
class LoadedRecommender(LoadedModel):
    """One loaded recommender."""

    overlay: Overlay = field(default_factory=Overlay)
    """What events have added since: it grows while the version is served."""
    _model: LiveModel = field(init=False)
    _users: TextArray = field(init=False)
    _item_ids: TextArray = field(init=False)
    _item_names: TextArray = field(init=False)

    def __post_init__(self) -> None:
        loaded = loading.load_model(self.manifest.algorithm, self.arrays)
        object.__setattr__(self, "_model", LiveModel(loaded, self.arrays, self.manifest.parameters, self.overlay))
        for name in ("users", "item_ids", "item_names"):
            object.__setattr__(self, f"_{name}", TextArray.from_arrays(self.arrays, name))

    @property
    def model(self) -> Recommender:
        """The model as the events so far have made it."""
        return self._model.current()

    def history(self, user_id: str) -> list[int | str]:
        """The user's items, oldest first, one that the version does not know by its id; empty for a stranger."""
        return [*self._stored_items(user_id).tolist(), *self.overlay.users.get(user_id, ())]

    def user_items(self, user_id: str) -> np.ndarray:
        """The numbers of the user's items, oldest first."""
        stored_items, tail = self._stored_items(user_id), self.overlay.users.get(user_id)
        if not tail:
            return stored_items
        return np.concatenate([stored_items, [item for item in tail if not isinstance(item, str)]]).astype(np.int64)

    def _stored_items(self, user_id: str) -> np.ndarray:
        index = self._users.find(user_id)
        starts, items = self.arrays["history_starts"], self.arrays["history_items"]
        return items[:0] if index is None else items[starts[index] : starts[index + 1]]

    def item_number(self, item_id: str) -> int:
        """Raises NotFoundError for an item that the version does not know."""
        index = self._item_ids.find(item_id)
        if index is None:
            allowed = f"an item of {self.manifest.full_name} {self.manifest.version}"
            raise NotFoundError(
                f"item_id: {show(item_id)} is not known; allowed: {allowed}. `popular` lists some.",
                field="item_id",
                allowed=allowed,
            )
        return index

    def item_numbers(self, ids: list[str]) -> np.ndarray:
        """The numbers of those ids that are known, in their order."""
        numbers = [self._item_ids.find(item_id) for item_id in ids]
        return np.array([number for number in numbers if number is not None], dtype=np.int64)

    def recommend(self, history: np.ndarray | Sequence[int], n: int, keep_known: bool) -> dict[str, Any]:
        """The answer to a history; popularity where it is empty, and it says so."""
        model = self.model
        known = clean_history(history, model.items)
        if not len(known):
            return self.popular(n) | {"fallback": FALLBACK}
        return self.render(model.top(known, n, keep_known=keep_known))

    def popular(self, n: int) -> dict[str, Any]:
        """Windowed popularity, best first; its scores are 0, as nothing was said about anybody."""
        chosen = np.asarray(self.model.popular[:n], dtype=np.int64)
        return self.render(TopItems(chosen, np.zeros(len(chosen)), [[] for _ in chosen]))

    def render(self, answer: TopItems) -> dict[str, Any]:
        items = [
            {**self.render_item(item), "score": score, "because": [self.render_item(one) for one in reasons]}
            for item, score, reasons in zip(answer.items.tolist(), answer.scores.tolist(), answer.because, strict=True)
        ]
        return {"items": items, "fallback": None, **self.manifest.version_fields}

    def render_item(self, item: int | str) -> dict[str, str]:
        if isinstance(item, str):
            return {"id": item, "name": item}
        return {"id": self._item_ids[item], "name": self._item_names[item]}
