"""Linear models over all pairs of items, in closed form; for at most LIMIT items, since the cost is their cube.

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


def fit_ease(sequences: Sequences, *, penalty: float = 100.0, power: float = 1.0, keep: int | None = None) -> Links:
    """Memory: two dense matrices of float32, 88 MB at 3,321 items and 800 MB at the limit."""
    _check(sequences, "ease")
    ones = seen_matrix(sequences)
    gram = (ones.T @ ones).toarray().astype(np.float32, order="F", copy=False)
    return fit_ease_from_gram(gram, penalty=penalty, power=power, keep=keep)


def fit_ease_from_gram(
    gram: np.ndarray, *, penalty: float = 100.0, power: float = 1.0, keep: int | None = None
) -> Links:
    """The same from (items, items) float32 counts of users with both, in Fortran order, which are overwritten."""
    lapack = _import_lapack()
    gram[np.diag_indices_from(gram)] += penalty
    factor, fault = lapack.spotrf(gram, overwrite_a=1)
    inverse, fault = lapack.spotri(factor, overwrite_c=1) if not fault else (factor, fault)
    if fault:
        raise BadInputError(f"ease: penalty {penalty:g} is too small for this data; allowed: more.", field="penalty")
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return keep_strongest(_split_rows(weights), len(gram), power, keep)


def fit_ridge(sequences: Sequences, *, penalty: float = 20.0, power: float = 1.0, keep: int | None = None) -> Links:
    """Memory as ease, and the histories before each position: 12 bytes times BEFORE an interaction at most."""
    lapack = _import_lapack()
    _check(sequences, "ridge")
    before = _predecessors(sequences, age_weights(power, MAX_PREDECESSORS))
    count = len(sequences.items)
    after = import_sparse().csr_matrix(
        (np.ones(count, dtype=np.float32), sequences.items, np.arange(count + 1)),
        shape=(count, sequences.item_count),
    )
    gram = (before.T @ before).toarray().astype(np.float32, order="F", copy=False)
    gram[np.diag_indices_from(gram)] += penalty
    target = (before.T @ after).toarray().astype(np.float32, order="F", copy=False)
    _, solved, fault = lapack.sposv(gram, target, overwrite_a=1, overwrite_b=1)
    if fault:
        raise BadInputError(f"ridge: penalty {penalty:g} is too small for this data; allowed: more.", field="penalty")
    return keep_strongest(_split_rows(solved), sequences.item_count, power, keep)


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
