"""Recipes: what fits a model again on other events, and the fit. JSON, kept in the manifest of what is published."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from millrace.evaluation import blend
from millrace.evaluation.candidates import RecommenderCandidate, cpu_seconds, find_candidate
from millrace.evaluation.sources import COUNT, CandidateSource, Option, Options, VersionCounts
from millrace.recommend.link_model import LinkModel
from millrace.recommend.links import Links, age_weights
from millrace.recommend.top_items import Recommender

BLEND = "blend"


@dataclass(frozen=True)
class Recipe:
    """A candidate, or a blend of several, with everything that was chosen for it.

    `options`: by candidate, the option of its fit; where a recipe of an earlier release has none, the fits' defaults.
    `power`: how the history decays, None where that is no choice; `shares`: by candidate, the weight of its links;
    `epochs`: of a network.
    """

    model: str
    version: str = COUNT
    options: Mapping[str, Option] = field(default_factory=dict)
    power: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    epochs: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in the manifest, without what is not chosen for such a model."""
        chosen = {"power": self.power, "shares": dict(self.shares) or None, "epochs": self.epochs}
        named = {"model": self.model, "version": self.version, "options": dict(self.options)}
        return named | {name: value for name, value in chosen.items() if value is not None}

    @classmethod
    def from_json(cls, recipe: Mapping[str, Any]) -> "Recipe":
        """From a manifest, of any release."""
        return cls(**recipe)

    def positive_shares(self, layers: Container[str]) -> dict[str, float]:
        """The shares above 0 of the layers that there are, Markov's last: what grows is added to a sum that stays."""
        named = {name: share for name, share in self.shares.items() if share > 0 and name in layers}
        return dict(sorted(named.items(), key=lambda pair: pair[0] == "markov"))

    def describe(self) -> dict[str, Any]:
        """What was chosen, as a table shows it: the shares to four digits, and the options of a blend's layers."""
        chosen = {"power": self.power, "epochs": self.epochs}
        chosen = {name: value for name, value in chosen.items() if value is not None}
        if self.model != BLEND:
            return {**self.options.get(self.model, {}), **chosen}
        shares = {name: float(f"{share:.4g}") for name, share in self.shares.items()}
        return {"shares": shares, **chosen, "layers": dict(self.options)}


@dataclass(frozen=True)
class FittedRecipe:
    """A recipe's model, its `layers`, if it is made of links, and the processor seconds of the fit."""

    recipe: Recipe
    model: Recommender
    seconds: float
    layers: Mapping[str, Links] = field(default_factory=dict, repr=False)


def mix_layers(layers: Mapping[str, Links], recipe: Recipe, popular: np.ndarray, keep: int | None = None) -> LinkModel:
    """A single layer as it is, or the sum of several by their shares, of which `keep` links an item stay."""
    named = recipe.positive_shares(layers)
    power = 1.0 if recipe.power is None else recipe.power
    if len(named) == 1:
        return LinkModel(layers[next(iter(named))].with_ages(age_weights(power)), popular)
    return blend.make_blend([layers[name] for name in named], list(named.values()), power, popular, keep)


def fit_recipe(counts: VersionCounts, recipe: Recipe, candidates: Sequence[RecommenderCandidate]) -> FittedRecipe:
    """The model of a recipe; the same events give the same model.

    A blend does without layers whose candidate does not take so many items. Raises BadInputError where a candidate that
    is not part of a blend does not, or where there is none of that name.
    """
    started = cpu_seconds()
    if not recipe.shares:
        model = _fit_single(counts, recipe, find_candidate(candidates, recipe.model))
        return FittedRecipe(recipe, model, cpu_seconds() - started)
    layers: dict[str, Links] = {}
    for name, share in recipe.shares.items():
        candidate = find_candidate(candidates, name)
        if recipe.model != BLEND:
            candidate.check_limit(counts.items)
        if share > 0 and (candidate.limit is None or counts.items <= candidate.limit):
            option = recipe.options.get(name, {})
            layers[name] = candidate.fit(candidate.prepare(counts), **option, keep=counts.keep)
    model = mix_layers(layers, recipe, counts.popular, counts.keep)
    return FittedRecipe(recipe, model, cpu_seconds() - started, layers)


def _fit_single(counts: VersionCounts, recipe: Recipe, candidate: RecommenderCandidate) -> Recommender:
    candidate.check_limit(counts.items)
    option = recipe.options.get(recipe.model, {})
    if candidate.validated:
        model, _ = candidate.fit(counts, None, **{**option, "epochs": recipe.epochs})
        return model.with_popular(counts.popular)
    model = candidate.fit(candidate.prepare(counts), **option)
    return model if recipe.power is None else model.with_power(recipe.power)


def fit_recipes(
    source: CandidateSource, recipes: Sequence[Recipe], candidates: Sequence[RecommenderCandidate]
) -> list[FittedRecipe]:
    """`fit_recipe` of each, in their order; the events of a version are counted once for all of its recipes."""
    fitted: dict[int, FittedRecipe] = {}
    for version in dict.fromkeys(recipe.version for recipe in recipes):
        own = [recipe for recipe in recipes if recipe.version == version]
        with source.count(version, collect_options(own)) as counts:
            fitted |= {id(recipe): fit_recipe(counts, recipe, candidates) for recipe in own}
    return [fitted[id(recipe)] for recipe in recipes]


def collect_options(recipes: Iterable[Recipe]) -> Options:
    """By candidate, the options of all recipes, as `CandidateSource.count` takes them."""
    options: dict[str, list[Option]] = {}
    for recipe in recipes:
        for name in recipe.shares or (recipe.model,):
            if recipe.shares.get(name, 1.0) > 0:
                options.setdefault(name, []).append(dict(recipe.options.get(name, {})))
    return options
