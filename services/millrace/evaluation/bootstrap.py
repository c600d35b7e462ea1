"""95% intervals by the bootstrap over users (Efron 1979), percentile method."""

import numpy as np

RESAMPLES = 1000


def bootstrap_intervals(values: np.ndarray, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """(2, m) lower and upper bounds of the means of (users, m) values.

    Users with the same values are one category, drawn a binomial number of times: the same distribution as drawing
    users one by one, at the cost of as many categories as there are ranks.
    """
    users = len(values)
    if not users:
        return np.full((2, values.shape[1]), np.nan)
    kinds, counts = np.unique(values, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(users, counts / users, size=resamples)
    return np.percentile(drawn @ kinds / users, [2.5, 97.5], axis=0)
