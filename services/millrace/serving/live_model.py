"""A loaded model together with what events add to it: links that grow, and the order of popularity."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from millrace.recommend.link_model import LinkModel
from millrace.recommend.live_arrays import POPULAR_ARRAY, LiveParameters
from millrace.recommend.popularity import PopularityModel, rank_windowed
from millrace.recommend.top_items import Recommender
from millrace.serving.live_links import LiveLinks, LiveRows
from millrace.serving.overlays import Overlay


class LiveModel:
    """`current` is the model with all that the overlay has by now. Histories are the caller's."""

    def __init__(
        self, model: Recommender, arrays: Mapping[str, np.ndarray], parameters: Mapping[str, Any], overlay: Overlay
    ):
        live = LiveParameters.from_manifest(parameters)
        if isinstance(model, LinkModel) and live.share is not None:
            model = LiveLinks.from_links(model, LiveRows(arrays, live, model.items, overlay))
        self._model: Recommender = model
        self._overlay = overlay
        self._counts = arrays.get(POPULAR_ARRAY)
        self._own = model.counts if isinstance(model, PopularityModel) else None
        self._popular: Any = None  # what of the overlay's is in the model

    def current(self) -> Recommender:
        added = self._overlay.popular
        if added is not self._popular and added is not None and self._counts is not None:
            lately, whole = self._sums(*added)
            # Another model takes its place, so that a request that has begun sees one or the other.
            if self._own is None:
                self._model = self._model.with_popular(rank_windowed(lately, whole))
            else:
                counts = np.array(self._own)
                counts[added[0]] += added[1][0]
                self._model = PopularityModel(counts, rank_windowed(counts, whole))
            self._popular = added
        return self._model

    def _sums(self, items: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """(2, items) events in the window and of all time."""
        sums = np.array(self._counts)
        sums[:, items] += counts
        return sums
