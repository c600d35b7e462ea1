"""Sequences of any size, with popular items and items that follow each other, as arrays and in a second or two."""

import numpy as np

from millrace.recommend.sequences import Sequences

FOLLOWERS = 5  # items that like to come after each item


def walks(users: int, items: int, seed: int = 1, mean: float = 12.0) -> Sequences:
    """Every user takes 3 or more items; half of the steps go to a follower, the others to an item by popularity."""
    random = np.random.default_rng(seed)
    lengths = np.minimum(3 + random.geometric(1 / (mean - 2), users), 200)
    popularity = np.cumsum(1 / np.arange(1, items + 1) ** 0.9)
    popularity /= popularity[-1]
    followers = random.integers(0, items, (items, FOLLOWERS))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    result = np.empty(starts[-1], dtype=np.int32)
    position = np.zeros(users, dtype=np.int64)
    for step in range(int(lengths.max())):
        going = np.flatnonzero(lengths > step)
        drawn = np.searchsorted(popularity, random.random(len(going)))
        follows = followers[position[going], random.integers(0, FOLLOWERS, len(going))]
        position[going] = np.where((random.random(len(going)) < 0.5) & (step > 0), follows, drawn)
        result[starts[going] + step] = position[going]
    return Sequences(result, starts, items).distinct()
