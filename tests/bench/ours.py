"""Our recommenders, with the options that `millrace evaluate` chose on the validation items of the mooc file."""

from collections.abc import Callable
from typing import Any

from millrace.evaluation import blend
from millrace.recommend import als, knn, linear, markov
from millrace.recommend.link_model import LinkModel
from millrace.recommend.popularity import rank_popular
from millrace.recommend.sequences import Sequences

SHARES = {"knn": 6.4, "markov": 11.4, "ease": 8.9, "ridge": 14.8}


def ours(items: int) -> dict[str, Callable[[Sequences], Any]]:
    """What is fitted of ours for so many items."""
    layers = {"knn": lambda s: knn.fit_knn(s), "markov": lambda s: markov.fit_markov(s, norm=1.0)}
    if items <= linear.MAX_ITEMS:
        layers |= {
            "ease": lambda s: linear.fit_ease(s, penalty=100.0),
            "ridge": lambda s: linear.fit_ridge(s, penalty=60.0),
        }

    def mixed(s: Sequences) -> LinkModel:
        return blend.make_blend(
            [fit(s) for fit in layers.values()], [SHARES[name] for name in layers], 1.0, rank_popular(s)
        )

    single = {name: lambda s, fit=fit: LinkModel(fit(s), rank_popular(s)) for name, fit in layers.items()}
    return single | {"als": lambda s: als.fit_als(s, power=1.0), "blend": mixed}
