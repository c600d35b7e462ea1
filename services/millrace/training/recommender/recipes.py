"""Recipes: which counts make a model, fitted by Spark on some sequences, as the recommenders of millrace.recommend."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from millrace.evaluation import blend
from millrace.neural.candidates import NETWORK_NAMES, fit_neural
from millrace.recommend import linear
from millrace.recommend.als import AlsModel
from millrace.recommend.link_model import LinkModel
from millrace.recommend.links import Links, age_weights
from millrace.recommend.popularity import PopularityModel
from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import Recommender
from millrace.training.recommender import counting, factors
from millrace.training.recommender.counting import TimeDecay

LAYERS = ("knn", "markov", "ease")
POWERS_OF_ALS = (0.5, 1.0)
ALPHA, NORM, PENALTY = 1.0, 0.5, 100.0
Recipe = dict[str, Any]
"""{"model", "version": "count" or "time-weighted", "power", "shares": {layer: share}}: JSON, kept in the manifest."""
Layered = Callable[[dict[str, Links]], None]
Raw = Callable[[DataFrame], None]


@dataclass(frozen=True)
class RecipeSource:
    """Sequences (see events.sequences) of so many items, and when they end; `window` in seconds, for popularity."""

    sequences: DataFrame
    items: int
    now: float | None
    oldest: float | None
    window: float
    half_life: float | None
    seed: int = 0

    def make_decay(self, version: str) -> TimeDecay | None:
        if version == "count":
            return None
        assert self.half_life
        assert self.now is not None
        assert self.oldest is not None
        return TimeDecay(self.now, self.half_life, self.oldest)

    @property
    def versions(self) -> tuple[str, ...]:
        return ("count", "time-weighted") if self.half_life and self.now is not None else ("count",)

    @property
    def layers(self) -> tuple[str, ...]:
        return LAYERS if self.items <= linear.MAX_ITEMS else LAYERS[:2]

    def fit_popularity(self, version: str) -> PopularityModel:
        """Popularity of the last `window` seconds; the order of `popular` is that, then of all time."""
        since = self.now - self.window if self.now is not None else None
        lately, whole = counting.count_popularity(self.sequences, self.items, since, self.make_decay(version))
        order = np.lexsort((-whole, -lately))[: int(np.count_nonzero(whole))].astype(np.int32)
        return PopularityModel(lately, order)

    def fit_als(self, version: str) -> AlsModel:
        return factors.fit_als(self.sequences, self.items, self.popular, self.make_decay(version), self.seed)

    def collect(self) -> Sequences:
        """The sequences in this process' memory, each item once, where it came first: 4 bytes an event, 8 a user."""
        lists = self.sequences.select("items").toArrow().column("items").combine_chunks()
        starts = lists.offsets.to_numpy().astype(np.int64)
        return Sequences(lists.flatten().to_numpy().astype(np.int32), starts - starts[0], self.items).distinct()

    @cached_property
    def popular(self) -> np.ndarray:
        """What fills up answers and is given to the unknown: windowed popularity, each event counted once."""
        return self.fit_popularity("count").popular

    def make_links(self, version: str, layers: tuple[str, ...], raw: Raw = lambda moves: None) -> dict[str, Links]:
        """The links of each layer. Pairs are counted once for both that need them; `raw` gets the transitions."""
        decay, links_by_layer = self.make_decay(version), {}
        if {"knn", "ease"} & set(layers):
            pairs = counting.count_pairs(self.sequences, self.items, decay, plain="ease" in layers)
            if "knn" in layers:
                links_by_layer["knn"] = counting.make_knn(pairs, self.items, ALPHA)
            if "ease" in layers:
                links_by_layer["ease"] = linear.fit_ease_from_gram(
                    counting.make_gram(pairs, self.items), penalty=PENALTY
                )
            pairs.unpersist()
        if "markov" in layers:
            moves = counting.count_transitions(self.sequences, self.items, decay)
            links_by_layer["markov"] = counting.make_markov(moves, self.items, NORM)
            raw(moves)
            moves.unpersist()
        return {name: links_by_layer[name] for name in layers}


def fit_recipe(
    source: RecipeSource, recipe: Recipe, layered: Layered = lambda links: None, raw: Raw = lambda moves: None
) -> Recommender:
    """The model of a recipe. The same sequences give the same model. `layered` and `raw` get what links are made of."""
    if recipe["model"] == "popularity":
        return source.fit_popularity(recipe["version"])
    if recipe["model"] in NETWORK_NAMES:
        return fit_neural(recipe["model"], source.collect(), epochs=recipe["epochs"], seed=source.seed)[0]
    if recipe["model"] == "als":
        return source.fit_als(recipe["version"]).with_power(recipe["power"])
    layers = tuple(name for name in source.layers if recipe["shares"].get(name, 0) > 0)
    links = source.make_links(recipe["version"], layers, raw)
    layered(links)
    return mix_links(links, recipe, source.popular)


def mix_links(links: dict[str, Links], recipe: Recipe, popular: np.ndarray) -> LinkModel:
    """A single layer as it is, or the sum of several by their shares."""
    named = positive_shares(recipe, links)
    if len(named) == 1:
        return LinkModel(links[next(iter(named))].with_ages(age_weights(recipe["power"])), popular)
    return blend.make_blend([links[name] for name in named], list(named.values()), recipe["power"], popular)


def positive_shares(recipe: Recipe, links: Container[str]) -> dict[str, float]:
    """The shares above 0 of the layers that there are, Markov's last: what grows is added to a sum that stays."""
    named = {name: share for name, share in recipe["shares"].items() if share > 0 and name in links}
    return dict(sorted(named.items(), key=lambda pair: pair[0] == "markov"))
