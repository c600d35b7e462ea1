"""The models that are compared, and the options that each may choose from on the validation items."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from millrace.errors import BadInput
from millrace.evaluation.metrics import per_user
from millrace.evaluation.ranks import ranks, uniform_negatives
from millrace.evaluation.split import Fold
from millrace.recommend import als, knn, linear, markov
from millrace.recommend.answer import Recommender
from millrace.recommend.blend import POWERS
from millrace.recommend.linked import Linked
from millrace.recommend.links import Links, by_age
from millrace.recommend.popularity import Popularity, fill_order
from millrace.recommend.sequences import Sequences

DAY = 86_400.0
USERS = 5_000  # validation users that decide on options


@dataclass(frozen=True)
class Candidate:
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
class Fitted:
    """A model with the option it was fitted with, the process seconds of that one fit, and its links, if it has any."""

    name: str
    model: Recommender
    option: dict[str, Any]
    seconds: float
    links: Links | None = field(default=None, repr=False)


CANDIDATES = (
    Candidate("popularity", Popularity.fit, tuple({"window": days and days * DAY} for days in (None, 7, 30, 90))),
    Candidate(
        "knn", knn.fit, tuple({"alpha": alpha, "k1": k1} for alpha in (0.5, 1.0) for k1 in (0.5, 1.2)), linked=True
    ),
    Candidate("markov", markov.fit, tuple({"norm": norm} for norm in (0.0, 0.5, 1.0)), linked=True),
    Candidate("ease", linear.ease, tuple({"penalty": each} for each in (30.0, 100.0, 300.0)), linear.LIMIT, True),
    Candidate("ridge", linear.ridge, tuple({"penalty": each} for each in (20.0, 60.0)), linear.LIMIT, True),
    Candidate("als", als.fit, ({"power": 0.5}, {"power": 1.0})),
)


NETWORKS = ("sasrec", "bert4rec", "fm")


def neural(
    network: str, sequences: Sequences, validation: Fold | None = None, **options: Any
) -> tuple[Recommender, int]:
    """A network and the epoch it was taken from. Raises BadInput where PyTorch is not installed."""
    try:
        from millrace.neural.train import Plan, fit
    except ImportError:
        raise BadInput(f"{network} needs PyTorch: pip install 'millrace[neural]'.", field="model") from None
    return fit(sequences, validation, Plan(network=network, **options))


# Only where it is asked for by name: it takes minutes.
NEURAL = tuple(Candidate(name, partial(neural, name), validated=True) for name in NETWORKS)


def seconds() -> float:
    """Processor time of this process and of those it waited for."""
    return sum(os.times()[:4])


def fitted(candidate: Candidate, sequences: Sequences, option: dict[str, Any]) -> Fitted:
    """One fit. `power` is the option of all models: how fast a history's older items lose their say."""
    started = seconds()
    made = candidate.fit(sequences, **option)
    used = seconds() - started
    if isinstance(made, Links):
        return Fitted(candidate.name, Linked(made, fill_order(sequences)), option, used, made)
    return Fitted(candidate.name, made[0] if candidate.validated else made, option, used)


def ndcg(model: Recommender, fold: Fold, negatives: np.ndarray | None = None) -> float:
    """NDCG@10 of a model on a fold, over all items or over `negatives`."""
    ranked = ranks(model, fold, negatives)
    return float(per_user(ranked.greater, ranked.tied)[:, 1].mean())


def choose(
    candidate: Candidate,
    validation: Fold,
    seed: int,
    negatives: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
) -> Fitted:
    """The option with the best NDCG@10 on the validation items, and for links also how the history decays."""
    sample = validation.sample(USERS, seed)
    sampled = uniform_negatives(sample, seed) if negatives else None
    best, reached = None, -1.0
    for option in candidate.options:
        if option.get("window") and validation.fit.times is None:
            continue  # a window needs times
        if candidate.validated:
            started = seconds()
            model, epochs = candidate.fit(validation.fit, validation=sample, **option)
            return Fitted(candidate.name, model, option | {"epochs": epochs}, seconds() - started)
        fit = fitted(candidate, validation.fit, option)
        for power in POWERS if fit.links is not None else (None,):
            tried = fit if power is None else _decayed(fit, power, validation.fit)
            value = ndcg(tried.model, sample, sampled)
            say(f"{candidate.name} {tried.option}: {value:.4f} on the validation")
            if value > reached:
                best, reached = tried, value
    assert best is not None
    return best


def _decayed(fit: Fitted, power: float, sequences: Sequences) -> Fitted:
    assert fit.links is not None
    links = fit.links.with_ages(by_age(power))
    return Fitted(fit.name, Linked(links, fit.model.popular), fit.option | {"power": power}, fit.seconds, links)


def again(fit: Fitted, candidates: Sequence[Candidate], sequences: Sequences) -> Fitted:
    """The same model with the same option on other sequences."""
    candidate = next(candidate for candidate in candidates if candidate.name == fit.name)
    return fitted(candidate, sequences, fit.option)
