"""The models that are compared, wherever they are fitted, and the options that each may choose from."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from millrace.errors import BadInputError
from millrace.evaluation.blend import POWERS
from millrace.evaluation.sources import Option, VersionCounts
from millrace.recommend import linear
from millrace.recommend.links import Links
from millrace.recommend.popularity import PopularityModel

DAY_S = 86_400.0


@dataclass(frozen=True)
class RecommenderCandidate:
    """`fit(prepare(counts), **option)` gives a model, or links where the candidate is `linked`.

    Links may have any decay of the history. The options are tried in order, and of equal ones the first wins.
    """

    name: str
    fit: Callable[..., Any]
    options: tuple[Option, ...] = ({},)
    prepare: Callable[[VersionCounts], Any] = lambda counts: counts
    """What the fits of all options share; it is made once, and let go after the last of them."""
    powers: tuple[float, ...] = ()
    """How fast a history's older items lose their say, see links.age_weights; each is tried with every option."""
    limit: int | None = None
    """The most items for which it is fitted; None is no limit."""
    linked: bool = False
    """Whether it gives links, which a blend can be made of; its fit then also takes `keep`."""
    validated: bool = False
    """Whether the fit itself watches validation items, to know when to stop.

    `fit(counts, fold, **option)` then gives the model and the epoch it is from; without a fold, `epochs` is an option.
    Such a model knows no versions, and is fitted on the plain one.
    """

    def check_limit(self, items: int) -> None:
        """Raises BadInputError for more items than it is fitted for."""
        if self.limit is not None and items > self.limit:
            raise BadInputError(
                f"--model {self.name} with {items} items is not usable; allowed: at most {self.limit}.", field="model"
            )


def cpu_seconds() -> float:
    """Processor time of this process and of those it waited for."""
    return sum(os.times()[:4])


def find_candidate(candidates: Sequence[RecommenderCandidate], name: str) -> RecommenderCandidate:
    """The candidate of that name. Raises BadInputError where there is none."""
    for candidate in candidates:
        if candidate.name == name:
            return candidate
    allowed = ", ".join(candidate.name for candidate in candidates)
    raise BadInputError(f"the model {name!r} is unknown; allowed: {allowed}.", field="model", allowed=allowed)


def fit_popularity(counts: VersionCounts, **option: float | None) -> PopularityModel:
    """Popularity of the option's `window` in seconds, or of the source's own where it names none."""
    return counts.popularity(option.get("window", counts.window))


def fit_knn(counts: VersionCounts, *, k1: float = 1.2, alpha: float = 1.0, keep: int | None = None) -> Links:
    """Options as in millrace.recommend.knn."""
    return counts.knn_links(k1=k1, alpha=alpha, keep=keep)


def fit_markov(counts: VersionCounts, *, norm: float = 0.5, keep: int | None = None) -> Links:
    """Options as in millrace.recommend.markov."""
    return counts.markov_links(norm=norm, keep=keep)


def fit_ridge(products: tuple[np.ndarray, np.ndarray], *, penalty: float = 20.0, keep: int | None = None) -> Links:
    """Options as in millrace.recommend.linear."""
    return linear.fit_ridge_from_products(*products, penalty=penalty, keep=keep)


CANDIDATES = (
    RecommenderCandidate(
        "popularity", fit_popularity, tuple({"window": days and days * DAY_S} for days in (None, 7, 30, 90))
    ),
    RecommenderCandidate(
        "knn",
        fit_knn,
        tuple({"alpha": alpha, "k1": k1} for alpha in (0.5, 1.0) for k1 in (0.5, 1.2)),
        powers=POWERS,
        linked=True,
    ),
    RecommenderCandidate(
        "markov", fit_markov, tuple({"norm": norm} for norm in (0.0, 0.5, 1.0)), powers=POWERS, linked=True
    ),
    RecommenderCandidate(
        "ease",
        linear.fit_ease_from_gram,
        tuple({"penalty": penalty} for penalty in (30.0, 100.0, 300.0)),
        prepare=lambda counts: counts.gram(),
        powers=POWERS,
        limit=linear.MAX_ITEMS,
        linked=True,
    ),
    RecommenderCandidate(
        "ridge",
        fit_ridge,
        tuple({"penalty": penalty} for penalty in (20.0, 60.0)),
        prepare=lambda counts: counts.ridge_products(),
        powers=POWERS,
        limit=linear.MAX_ITEMS,
        linked=True,
    ),
    RecommenderCandidate("als", lambda model: model, prepare=lambda counts: counts.als_model(), powers=(0.5, 1.0)),
)
"""Fitted in this order. Networks, which need PyTorch, are in millrace.neural.candidates."""
