"""First-order transitions that also look a few steps ahead, each step counting less.

count(h, i) is the sum of 1 / d over the pairs in which i came d places after h; the classic chain has d = 1 only
(Rendle et al., "Factorizing Personalized Markov Chains", 2010). A row is divided by its sum to the power `norm`:
1 makes probabilities, 0 lets items that are followed often speak louder.
"""

import numpy as np

from millrace.recommend.links import Links, keep_strongest
from millrace.recommend.matrices import SparseMatrix, import_sparse
from millrace.recommend.sequences import Sequences

MAX_STEPS_AHEAD = 10


def count_transitions(
    sequences: Sequences, ahead: int = MAX_STEPS_AHEAD, new: np.ndarray | None = None
) -> SparseMatrix:
    """(items, items) CSR of decayed transition counts.

    With the (n,) mask `new` only pairs whose later item is new: what these add to the counts of before, exactly. The
    last `ahead` items of each user before the new ones are enough for that.
    """
    users, items, size = sequences.users, sequences.items, sequences.item_count
    total = import_sparse().csr_matrix((size, size), dtype=np.float32)
    for distance in range(1, ahead + 1):
        same = users[:-distance] == users[distance:]
        if new is not None:
            same &= new[distance:]
        before, after = items[:-distance][same], items[distance:][same]
        share = np.full(len(before), 1 / distance, dtype=np.float32)
        total = total + import_sparse().csr_matrix((share, (before, after)), shape=(size, size))
    return total


def fit_markov(
    sequences: Sequences,
    *,
    norm: float = 0.5,
    power: float = 1.0,
    ahead: int = MAX_STEPS_AHEAD,
    keep: int | None = None,
) -> Links:
    """Cost and memory: `ahead` times the interactions, at most as many links, of which the strongest are kept."""
    transitions = count_transitions(sequences, ahead)
    sums = np.asarray(transitions.sum(axis=1)).ravel()
    scaled = import_sparse().diags(np.maximum(sums, 1e-9) ** -norm).astype(np.float32) @ transitions
    return keep_strongest([scaled.tocsr()], sequences.item_count, power, keep)
