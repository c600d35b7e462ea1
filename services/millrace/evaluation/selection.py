"""The selection of a recommender, for `evaluate` and `train` alike: all candidates side by side on validation items.

For every version of the events, every candidate is fitted with every option and every decay of the history, and then
the blend of those that are links. The measure is NDCG@10 on the validation items; of equal ones the first wins.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from millrace.evaluation import blend
from millrace.evaluation.candidates import CANDIDATES, RecommenderCandidate, cpu_seconds
from millrace.evaluation.metrics import user_metrics
from millrace.evaluation.ranks import draw_negatives, rank_targets
from millrace.evaluation.recipes import BLEND, FittedRecipe, Recipe, mix_layers
from millrace.evaluation.sources import COUNT, CandidateSource, Option, VersionCounts
from millrace.evaluation.split import Fold
from millrace.recommend.link_model import LinkModel
from millrace.recommend.links import Links
from millrace.recommend.top_items import Recommender

log = logging.getLogger(__name__)

MAX_USERS = 5_000  # validation users that decide on options


@dataclass(frozen=True)
class Trial:
    """The best that a candidate reached on the validation items: what was fitted, and its NDCG@10.

    `seconds` are processor seconds of all that was tried for it.
    """

    fitted: FittedRecipe
    ndcg: float
    seconds: float

    @property
    def recipe(self) -> Recipe:
        return self.fitted.recipe


def score_ndcg(model: Recommender, fold: Fold, negatives: np.ndarray | None = None) -> float:
    """NDCG@10 of a model on a fold, over all items or over (users, m) `negatives`."""
    ranked = rank_targets(model, fold, negatives)
    return float(user_metrics(ranked.greater, ranked.tied)[:, 1].mean())


def best_trial(trials: Iterable[Trial]) -> Trial:
    """The one with the highest NDCG@10, of equal ones the first: what is published."""
    return max(trials, key=lambda trial: trial.ndcg)


def select_candidates(
    candidates: Sequence[RecommenderCandidate], items: int, models: Sequence[str] = ()
) -> list[RecommenderCandidate]:
    """The candidates that are wanted and can be fitted for so many items; a blend wants all of them."""
    wanted = [
        candidate
        for candidate in candidates
        if not models or candidate.name in models or (BLEND in models and candidate.linked)
    ]
    large = [candidate for candidate in wanted if candidate.limit is not None and items > candidate.limit]
    for candidate in large:
        if candidate.name in models:
            candidate.check_limit(items)
        log.info("%s is left out: %s items; it takes at most %s", candidate.name, items, candidate.limit)
    return [candidate for candidate in wanted if candidate not in large]


def try_candidates(
    source: CandidateSource,
    validation: Fold,
    seed: int,
    candidates: Sequence[RecommenderCandidate] = CANDIDATES,
    *,
    blended: bool = True,
    negatives: bool = False,
) -> list[Trial]:
    """A trial of every version and candidate, and of the blend of the linked ones where `blended`.

    Ranked are all items, or for `negatives` 100 drawn ones a user; the same `seed` draws the same users and items.
    """
    sample = validation.sample(MAX_USERS, seed)
    drawn = draw_negatives(sample, seed) if negatives else None
    trials: list[Trial] = []
    for version in source.versions:
        own = [candidate for candidate in candidates if version == COUNT or not candidate.validated]
        tried: list[Trial] = []
        with source.count(version, {candidate.name: candidate.options for candidate in own}) as counts:
            for candidate in own:
                tried.append(choose_option(candidate, counts, version, sample, drawn))
                _log_trial(tried[-1])
            if blended and (layers := [trial for trial in tried if trial.fitted.layers]):
                tried.append(choose_blend(layers, counts, validation, seed, sample, drawn))
                _log_trial(tried[-1])
        trials += tried
    return trials


def choose_option(
    candidate: RecommenderCandidate,
    counts: VersionCounts,
    version: str,
    fold: Fold,
    negatives: np.ndarray | None = None,
) -> Trial:
    """The option, and the decay of the history, with the best NDCG@10 on the fold."""
    started = cpu_seconds()
    best: FittedRecipe | None = None
    reached = -1.0
    for fitted in _fit_options(candidate, counts, version, fold):
        value = score_ndcg(fitted.model, fold, negatives)
        log.info("%s %s: %.4f on the validation", candidate.name, fitted.recipe.describe(), value)
        if value > reached:
            best, reached = fitted, value
    assert best is not None
    return Trial(best, reached, cpu_seconds() - started)


def _fit_options(
    candidate: RecommenderCandidate, counts: VersionCounts, version: str, fold: Fold
) -> Iterator[FittedRecipe]:
    """Every option that the events allow, with every power."""
    started = cpu_seconds()
    prepared = candidate.prepare(counts)
    shared_s = cpu_seconds() - started
    for option in candidate.options:
        if option.get("window") and not counts.is_timed:
            continue
        started = cpu_seconds()
        recipe = Recipe(candidate.name, version, {candidate.name: option})
        if candidate.validated:
            model, epochs = candidate.fit(counts, fold, **option)
            model = model.with_popular(counts.popular)
            yield FittedRecipe(replace(recipe, epochs=epochs), model, cpu_seconds() - started)
            continue
        layers: dict[str, Links] = {}
        if candidate.linked:
            layers[candidate.name] = candidate.fit(prepared, **option, keep=counts.keep)
            recipe = replace(recipe, shares={candidate.name: 1.0})
            model = LinkModel(layers[candidate.name], counts.popular)
        else:
            model = candidate.fit(prepared, **option)
        seconds = shared_s + cpu_seconds() - started
        for power in candidate.powers or (None,):
            decayed = model if power is None else model.with_power(power)
            yield FittedRecipe(replace(recipe, power=power), decayed, seconds, layers)


def choose_blend(
    trials: Sequence[Trial],
    counts: VersionCounts,
    validation: Fold,
    seed: int,
    sample: Fold,
    negatives: np.ndarray | None = None,
) -> Trial:
    """The blend of the trials' links, of one version, with the shares and the power of the best NDCG@10.

    It is measured as the others are: on the `sample` of the validation, over all items or over (users, m) `negatives`.
    """
    started = cpu_seconds()
    layers: dict[str, Links] = {}
    options: dict[str, Option] = {}
    for trial in trials:
        layers |= trial.fitted.layers
        options |= trial.recipe.options
    shares, power = blend.choose_blend(list(layers.values()), counts.popular, validation, seed, negatives is not None)
    named = {name: float(share) for name, share in zip(layers, shares, strict=True)}
    recipe = Recipe(BLEND, trials[0].recipe.version, options, power, named)
    fit_started = cpu_seconds()
    model = mix_layers(layers, recipe, counts.popular, counts.keep)
    seconds = sum(trial.fitted.seconds for trial in trials) + cpu_seconds() - fit_started
    reached = score_ndcg(model, sample, negatives)
    return Trial(FittedRecipe(recipe, model, seconds, layers), reached, cpu_seconds() - started)


def _log_trial(trial: Trial) -> None:
    log.info("%s, %s: NDCG@10 %.4f on the validation", trial.recipe.model, trial.recipe.version, trial.ndcg)
