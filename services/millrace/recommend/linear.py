"""Linear models over all pairs of items, in closed form; for at most MAX_ITEMS items, since the cost is their cube.

ease: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019): each item from all others of the user.
ridge: the next item from the decayed history before it, the transition part of Choi et al., "Session-aware Linear
Item-Item Models for Session-based Recommendation" (2021).
"""

from collections.abc import Iterator
from types import ModuleType

import numpy as np

from millrace.errors import BadInputError
from millrace.recommend.links import Links, age_weights, keep_strongest
from millrace.recommend.matrices import BLOCK_ROWS, SparseMatrix, import_sparse, seen_matrix
from millrace.recommend.sequences import Sequences
from millrace.recommend.time_weighted import strongest_events

MAX_ITEMS = 10_000
MAX_PREDECESSORS = 15  # items of the history before each position that ridge learns from


def _import_lapack() -> ModuleType:
    """SciPy's LAPACK; f2py builds its functions, and no type checker sees them."""
    from scipy.linalg import lapack

    return lapack


def _check(sequences: Sequences, name: str) -> None:
    if sequences.item_count > MAX_ITEMS:
        raise BadInputError(
            f"{name} with {sequences.item_count} items is not usable; allowed: at most {MAX_ITEMS}.", field="model"
        )


def _split_rows(dense: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(dense), BLOCK_ROWS):
        yield dense[start : start + BLOCK_ROWS]


def _to_dense(matrix: SparseMatrix) -> np.ndarray:
    """float32 in Fortran order, which LAPACK takes without a copy of its own."""
    return matrix.toarray().astype(np.float32, order="F", copy=False)


def _add_penalty(gram: np.ndarray, penalty: float) -> np.ndarray:
    """A copy with the penalty on the diagonal."""
    system = gram.copy(order="F")
    system[np.diag_indices_from(system)] += penalty
    return system


def count_gram(sequences: Sequences, gains: np.ndarray | None = None) -> np.ndarray:
    """(items, items) float32: users with both items; with (n,) gains, products of a user's largest for each of both.

    Raises BadInputError for more than MAX_ITEMS items.
    """
    _check(sequences, "ease")
    taken = seen_matrix(sequences) if gains is None else strongest_events(sequences, gains)
    return _to_dense(taken.T @ taken)


def fit_ease(sequences: Sequences, *, penalty: float = 100.0, power: float = 1.0, keep: int | None = None) -> Links:
    """Memory: five dense matrices of float32 for a moment, 220 MB at 3,321 items and 2 GB at the limit."""
    return fit_ease_from_gram(count_gram(sequences), penalty=penalty, power=power, keep=keep)


def fit_ease_from_gram(
    gram: np.ndarray, *, penalty: float = 100.0, power: float = 1.0, keep: int | None = None
) -> Links:
    """The same from the (items, items) of `count_gram`, which stay as they are for other penalties.

    Raises BadInputError where the penalty is too small for the matrix to be inverted.
    """
    lapack = _import_lapack()
    factor, fault = lapack.spotrf(_add_penalty(gram, penalty), overwrite_a=1)
    inverse, fault = lapack.spotri(factor, overwrite_c=1) if not fault else (factor, fault)
    if fault:
        raise BadInputError(f"ease: penalty {penalty:g} is too small for this data; allowed: more.", field="penalty")
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return keep_strongest(_split_rows(weights), len(gram), power, keep)


def sum_ridge_products(
    sequences: Sequences, gains: np.ndarray | None = None, power: float = 1.0
) -> tuple[SparseMatrix, SparseMatrix]:
    """(items, items) CSR each: what came before each interaction, times itself, and times the item that followed.

    What came before decays by `power`. An interaction counts its gain of (n,), 1 where they are left out. The sums of
    disjoint users add up to those of all, which is how Spark makes them. Memory: 12 bytes times MAX_PREDECESSORS an
    interaction at most.
    """
    before = _predecessors(sequences, age_weights(power, MAX_PREDECESSORS))
    count = len(sequences.items)
    after = import_sparse().csr_matrix(
        (np.ones(count, dtype=np.float32), sequences.items, np.arange(count + 1)),
        shape=(count, sequences.item_count),
    )
    weighted = before if gains is None else before.multiply(gains[:, None]).tocsr()
    return (weighted.T @ before).tocsr(), (weighted.T @ after).tocsr()


def count_ridge_products(
    sequences: Sequences, gains: np.ndarray | None = None, power: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """`sum_ridge_products` as dense float32. Raises BadInputError for more than MAX_ITEMS items."""
    _check(sequences, "ridge")
    gram, target = sum_ridge_products(sequences, gains, power)
    return _to_dense(gram), _to_dense(target)


def fit_ridge(sequences: Sequences, *, penalty: float = 20.0, power: float = 1.0, keep: int | None = None) -> Links:
    """Memory: four dense matrices of float32, 176 MB at 3,321 items and 1.6 GB at the limit."""
    products = count_ridge_products(sequences, power=power)
    return fit_ridge_from_products(*products, penalty=penalty, power=power, keep=keep)


def fit_ridge_from_products(
    gram: np.ndarray, target: np.ndarray, *, penalty: float = 20.0, power: float = 1.0, keep: int | None = None
) -> Links:
    """The same from both (items, items) of `count_ridge_products`, which stay as they are for other penalties.

    Raises BadInputError where the penalty is too small for the system to be solved.
    """
    lapack = _import_lapack()
    right = target.copy(order="F")
    _, solved, fault = lapack.sposv(_add_penalty(gram, penalty), right, overwrite_a=1, overwrite_b=1)
    if fault:
        raise BadInputError(f"ridge: penalty {penalty:g} is too small for this data; allowed: more.", field="penalty")
    return keep_strongest(_split_rows(solved), len(gram), power, keep)


def _predecessors(sequences: Sequences, weights: np.ndarray) -> SparseMatrix:
    """(interactions, items) CSR: row p holds what the same user had before p, the latest with weights[0]."""
    users, items, count = sequences.users, sequences.items, len(sequences.items)
    rows, columns, values = [], [], []
    for distance, weight in enumerate(weights, start=1):
        later = np.flatnonzero(users[:-distance] == users[distance:]) + distance
        rows.append(later)
        columns.append(items[later - distance])
        values.append(np.full(len(later), weight, dtype=np.float32))
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return import_sparse().csr_matrix(entries, shape=(count, sequences.item_count))
