"""Sparse matrices of interactions, for fitting; needs SciPy (the extra `recommend`)."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from millrace.errors import BadInputError
from millrace.recommend.sequences import Sequences

SparseMatrix = Any
"""A CSR matrix of SciPy, which has no types."""
BLOCK_ROWS = 512  # rows of an item-to-item product at a time


def import_sparse() -> ModuleType:
    """SciPy's sparse matrices. Raises BadInputError that names the extra."""
    try:
        from scipy import sparse  # here, so that an API that only answers does not load it
    except ImportError:
        raise BadInputError(
            "Fitting and evaluating recommenders needs SciPy: pip install 'millrace[recommend]'.", field="model"
        ) from None
    return sparse


def weighted_matrix(sequences: Sequences, weights: np.ndarray) -> SparseMatrix:
    """(users, items) CSR with the (n,) float32 weight of each interaction; repeated ones add up."""
    # Copies: sum_duplicates sorts each row in place, and the order of the sequences would be gone.
    made = import_sparse().csr_matrix(
        (weights.astype(np.float32), sequences.items.copy(), sequences.starts.copy()),
        shape=(len(sequences), sequences.item_count),
    )
    made.sum_duplicates()
    return made


def seen_matrix(sequences: Sequences) -> SparseMatrix:
    """(users, items) CSR of ones."""
    made = weighted_matrix(sequences, np.ones(len(sequences.items), dtype=np.float32))
    made.data[:] = 1
    return made


def multiply_blocks(left: SparseMatrix, right: SparseMatrix) -> Iterator[SparseMatrix]:
    """Rows of left @ right, in blocks of rows."""
    for start in range(0, left.shape[0], BLOCK_ROWS):
        yield left[start : start + BLOCK_ROWS] @ right
