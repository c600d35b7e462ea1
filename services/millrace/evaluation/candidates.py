"""The models that are compared, and the options that each may choose from on the validation items."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from millrace.evaluation.blend import POWERS
from millrace.evaluation.metrics import user_metrics
from millrace.evaluation.ranks import draw_negatives, rank_targets
from millrace.evaluation.split import Fold
from millrace.recommend import als, knn, linear, markov
from millrace.recommend.link_model import LinkModel
from millrace.recommend.links import Links, age_weights
from millrace.recommend.popularity import PopularityModel, rank_popular
from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import Recommender

log = logging.getLogger(__name__)

DAY_S = 86_400.0
MAX_USERS = 5_000  # validation users that decide on options


@dataclass(frozen=True)
class RecommenderCandidate:
    """`fit(sequences, **option)` gives links or a model; the options are tried in order."""

    name: str
    fit: Callable[..., Any]
    options: tuple[dict[str, Any], ...] = ({},)
    limit: int | None = None
    """The most items for which it is fitted; None is no limit."""
    linked: bool = False
    """Whether it gives links, which a blend can be made of."""
    validated: bool = False
    """Whether the fit itself watches the validation items, to know when to stop; it gives the model and the epoch."""


@dataclass(frozen=True)
class FittedModel:
    """A model with the option it was fitted with, the process seconds of that one fit, and its links, if it has any."""

    name: str
    model: Recommender
    option: dict[str, Any]
    seconds: float
    links: Links | None = field(default=None, repr=False)


CANDIDATES = (
    RecommenderCandidate(
        "popularity", PopularityModel.fit, tuple({"window": days and days * DAY_S} for days in (None, 7, 30, 90))
    ),
    RecommenderCandidate(
        "knn", knn.fit_knn, tuple({"alpha": alpha, "k1": k1} for alpha in (0.5, 1.0) for k1 in (0.5, 1.2)), linked=True
    ),
    RecommenderCandidate("markov", markov.fit_markov, tuple({"norm": norm} for norm in (0.0, 0.5, 1.0)), linked=True),
    RecommenderCandidate(
        "ease", linear.fit_ease, tuple({"penalty": each} for each in (30.0, 100.0, 300.0)), linear.MAX_ITEMS, True
    ),
    RecommenderCandidate(
        "ridge", linear.fit_ridge, tuple({"penalty": each} for each in (20.0, 60.0)), linear.MAX_ITEMS, True
    ),
    RecommenderCandidate("als", als.fit_als, ({"power": 0.5}, {"power": 1.0})),
)


def cpu_seconds() -> float:
    """Processor time of this process and of those it waited for."""
    return sum(os.times()[:4])


def fit_candidate(candidate: RecommenderCandidate, sequences: Sequences, option: dict[str, Any]) -> FittedModel:
    """One fit. `power` is the option of all models: how fast a history's older items lose their say."""
    started = cpu_seconds()
    made = candidate.fit(sequences, **option)
    used = cpu_seconds() - started
    if isinstance(made, Links):
        return FittedModel(candidate.name, LinkModel(made, rank_popular(sequences)), option, used, made)
    return FittedModel(candidate.name, made[0] if candidate.validated else made, option, used)


def score_ndcg(model: Recommender, fold: Fold, negatives: np.ndarray | None = None) -> float:
    """NDCG@10 of a model on a fold, over all items or over `negatives`."""
    ranked = rank_targets(model, fold, negatives)
    return float(user_metrics(ranked.greater, ranked.tied)[:, 1].mean())


def choose_option(candidate: RecommenderCandidate, validation: Fold, seed: int, negatives: bool = False) -> FittedModel:
    """The option with the best NDCG@10 on the validation items, and for links also how the history decays."""
    sample = validation.sample(MAX_USERS, seed)
    sampled = draw_negatives(sample, seed) if negatives else None
    best, reached = None, -1.0
    for option in candidate.options:
        if option.get("window") and validation.fit.times is None:
            continue  # a window needs times
        if candidate.validated:
            started = cpu_seconds()
            model, epochs = candidate.fit(validation.fit, validation=sample, **option)
            return FittedModel(candidate.name, model, option | {"epochs": epochs}, cpu_seconds() - started)
        fit = fit_candidate(candidate, validation.fit, option)
        for power in POWERS if fit.links is not None else (None,):
            tried = fit if power is None else _with_decay(fit, power, validation.fit)
            value = score_ndcg(tried.model, sample, sampled)
            log.info("%s %s: %.4f on the validation", candidate.name, tried.option, value)
            if value > reached:
                best, reached = tried, value
    assert best is not None
    return best


def _with_decay(fit: FittedModel, power: float, sequences: Sequences) -> FittedModel:
    assert fit.links is not None
    links = fit.links.with_ages(age_weights(power))
    return FittedModel(fit.name, LinkModel(links, fit.model.popular), fit.option | {"power": power}, fit.seconds, links)


def refit(fit: FittedModel, candidates: Sequence[RecommenderCandidate], sequences: Sequences) -> FittedModel:
    """The same model with the same option on other sequences."""
    candidate = next(candidate for candidate in candidates if candidate.name == fit.name)
    return fit_candidate(candidate, sequences, fit.option)
