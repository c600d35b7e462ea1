"""Small sequences of a seed, and every model fitted on them."""

import numpy as np

from millrace.evaluation import blend
from millrace.evaluation.split import Fold
from millrace.recommend import als, knn, linear, markov
from millrace.recommend.link_model import LinkModel
from millrace.recommend.popularity import PopularityModel, rank_popular
from millrace.recommend.sequences import Sequences, number_sequences
from millrace.recommend.top_items import Recommender

MODELS = ("popularity", "knn", "markov", "ease", "ridge", "als", "blend")


def histories(seed: int, users: int = 40, items: int = 25, longest: int = 9) -> list[list[str]]:
    """Walks along a ring of items, so that there is something to learn; some jump, some are of one item."""
    random = np.random.default_rng(seed)
    results = []
    for _ in range(users):
        position, walk = int(random.integers(items)), []
        for _ in range(int(random.integers(1, longest + 1))):
            walk.append(f"i{position}")
            position = (
                int(random.integers(items))
                if random.random() < 0.3
                else (position + int(random.integers(1, 3))) % items
            )
        results.append(walk)
    return results


def sequences(seed: int, users: int = 40, items: int = 25, longest: int = 9, timed: bool = False) -> Sequences:
    walks = histories(seed, users, items, longest)
    random = np.random.default_rng(seed + 1)
    times = [np.sort(random.uniform(0, 1e7, len(walk))).tolist() for walk in walks] if timed else None
    return number_sequences(walks, times).distinct()


def fitted(name: str, interactions: Sequences) -> Recommender:
    if name == "popularity":
        return PopularityModel.fit(interactions)
    if name == "als":
        return als.fit_als(interactions, factors=8, iterations=3)
    makers = {"knn": knn.fit_knn, "markov": markov.fit_markov, "ease": linear.fit_ease, "ridge": linear.fit_ridge}
    if name in makers:
        return LinkModel(makers[name](interactions), rank_popular(interactions))
    layers = [maker(interactions) for maker in makers.values()]
    return blend.make_blend(layers, [1.0, 0.5, 2.0, 0.0], 1.4, rank_popular(interactions))


def every_user(interactions: Sequences) -> Fold:
    """All users asked for an item that they do not have."""
    targets = [
        next(item for item in range(interactions.item_count) if item not in interactions[user])
        for user in range(len(interactions))
    ]
    return Fold(interactions, interactions, np.array(targets))
