"""Our recommenders, with the options that `millrace evaluate` chose on the validation items of the mooc file."""

from collections.abc import Callable
from typing import Any

from millrace.recommend import als, blend, knn, linear, markov
from millrace.recommend.linked import Linked
from millrace.recommend.popularity import fill_order
from millrace.recommend.sequences import Sequences

SHARES = {"knn": 6.4, "markov": 11.4, "ease": 8.9, "ridge": 14.8}


def ours(items: int) -> dict[str, Callable[[Sequences], Any]]:
    """What is fitted of ours for so many items."""
    layers = {"knn": lambda s: knn.fit(s), "markov": lambda s: markov.fit(s, norm=1.0)}
    if items <= linear.LIMIT:
        layers |= {"ease": lambda s: linear.ease(s, penalty=100.0), "ridge": lambda s: linear.ridge(s, penalty=60.0)}

    def mixed(s: Sequences) -> Linked:
        return blend.blended([fit(s) for fit in layers.values()], [SHARES[name] for name in layers], 1.0, fill_order(s))

    single = {name: lambda s, fit=fit: Linked(fit(s), fill_order(s)) for name, fit in layers.items()}
    return single | {"als": lambda s: als.fit(s, power=1.0), "blend": mixed}
