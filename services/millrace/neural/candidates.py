"""The networks as candidates of an evaluation and of a training, fitted where they are asked for by name."""

from functools import partial
from typing import Any

from millrace.errors import BadInputError
from millrace.evaluation.candidates import CANDIDATES, RecommenderCandidate
from millrace.evaluation.sources import VersionCounts
from millrace.evaluation.split import Fold
from millrace.recommend.top_items import Recommender

NETWORK_NAMES = ("sasrec", "bert4rec", "fm")


def fit_neural(
    network: str, counts: VersionCounts, validation: Fold | None = None, **options: Any
) -> tuple[Recommender, int]:
    """A network and the epoch it was taken from. Raises BadInputError where PyTorch is not installed."""
    try:
        from millrace.neural.train import NetworkPlan, fit_network
    except ImportError:
        raise BadInputError(f"{network} needs PyTorch: pip install 'millrace[neural]'.", field="model") from None
    return fit_network(counts.sequences(), validation, NetworkPlan(network=network, seed=counts.seed, **options))


NETWORK_CANDIDATES = tuple(
    RecommenderCandidate(name, partial(fit_neural, name), validated=True) for name in NETWORK_NAMES
)
ALL_CANDIDATES = (*CANDIDATES, *NETWORK_CANDIDATES)
"""Every model that the recipe of a version may name."""
