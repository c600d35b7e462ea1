"""Time-weighted versions: an event counts 2 ** -(age / half-life), so that what happened lately says more."""

import numpy as np

from millrace.errors import BadInputError
from millrace.recommend.links import Links, keep_strongest
from millrace.recommend.markov import MAX_STEPS_AHEAD
from millrace.recommend.matrices import SparseMatrix, import_sparse, multiply_blocks
from millrace.recommend.sequences import Sequences


def event_gains(sequences: Sequences, half_life: float, now: float | None = None) -> np.ndarray:
    """(n,) float64 in 0 ... 1; `half_life` and `now`, the newest time where left out, in seconds."""
    if sequences.times is None:
        raise BadInputError("Time-weighted versions need times, and this source has only an order.", field="half_life")
    now = float(np.nanmax(sequences.times)) if now is None else now
    times = np.where(np.isnan(sequences.times), np.nanmin(sequences.times), sequences.times)
    return np.exp(-np.maximum(now - times, 0) * np.log(2) / half_life)


def strongest_events(sequences: Sequences, weights: np.ndarray) -> SparseMatrix:
    """(users, items) CSR: the largest of a user's weights for each item."""
    order = np.lexsort((-weights, sequences.items, sequences.users))
    users, items = sequences.users[order], sequences.items[order]
    first = np.concatenate([[True], (np.diff(users) != 0) | (np.diff(items) != 0)])[: len(order)]
    shape = (len(sequences), sequences.item_count)
    return import_sparse().csr_matrix((weights[order][first], (users[first], items[first])), shape=shape)


def weighted_transitions(sequences: Sequences, weights: np.ndarray, ahead: int = MAX_STEPS_AHEAD) -> SparseMatrix:
    """(items, items) CSR of markov's decayed counts, each times the weight of the later event."""
    users, items, size = sequences.users, sequences.items, sequences.item_count
    before, after, shares = [items[:0]], [items[:0]], [weights[:0]]
    for distance in range(1, min(ahead, len(items) - 1) + 1):
        same = users[:-distance] == users[distance:]
        before.append(items[:-distance][same])
        after.append(items[distance:][same])
        shares.append(weights[distance:][same] / distance)
    places = np.concatenate(before), np.concatenate(after)
    return import_sparse().csr_matrix((np.concatenate(shares), places), shape=(size, size))


def fit_knn(
    sequences: Sequences,
    half_life: float,
    *,
    k1: float = 1.2,
    b: float = 0.75,
    alpha: float = 1.0,
    power: float = 1.0,
    keep: int | None = None,
    now: float | None = None,
) -> Links:
    """As knn.fit, each weight times the gain of the user's latest event with the item."""
    matrix = strongest_events(sequences, event_gains(sequences, half_life, now))
    lengths = np.diff(matrix.indptr)
    bm25 = (k1 + 1) / (1 + k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9)))
    matrix.data *= np.repeat(bm25, lengths)
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    scaled = (matrix @ import_sparse().diags(np.maximum(norms, 1e-30) ** -alpha)).tocsr()
    return keep_strongest(multiply_blocks(scaled.T.tocsr(), scaled), sequences.item_count, power, keep)


def fit_markov(
    sequences: Sequences,
    half_life: float,
    *,
    norm: float = 0.5,
    power: float = 1.0,
    ahead: int = MAX_STEPS_AHEAD,
    keep: int | None = None,
    now: float | None = None,
) -> Links:
    """As markov.fit, each transition times the gain of the later event."""
    total = weighted_transitions(sequences, event_gains(sequences, half_life, now), ahead)
    sums = np.asarray(total.sum(axis=1)).ravel()
    scaled = import_sparse().diags(np.maximum(sums, 1e-30) ** -norm) @ total
    return keep_strongest([scaled.tocsr()], sequences.item_count, power, keep)
