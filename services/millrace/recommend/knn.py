"""Item-based nearest neighbours over BM25-weighted interactions.

Weights: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with a user as the
document and an item as the term, so that a user of a thousand items says less by each of them. Similarity: the dot
product over the columns' norms to the power `alpha` (Deshpande and Karypis 2004); 1 is the cosine.
"""

import numpy as np

from millrace.recommend.links import Links, keep_strongest
from millrace.recommend.matrices import import_sparse, multiply_blocks, seen_matrix
from millrace.recommend.sequences import Sequences


def fit_knn(
    sequences: Sequences,
    *,
    k1: float = 1.2,
    b: float = 0.75,
    alpha: float = 1.0,
    power: float = 1.0,
    keep: int | None = None,
) -> Links:
    """Cost: the sum over users of their squared length; memory: one block of rows and `keep` links an item."""
    ones = seen_matrix(sequences)
    lengths = np.diff(ones.indptr)
    relative = lengths / max(lengths.mean() if len(lengths) else 1.0, 1e-9)
    ones.data = ((k1 + 1) / (1 + k1 * (1 - b + b * np.repeat(relative, lengths)))).astype(np.float32)
    norms = np.sqrt(np.asarray(ones.multiply(ones).sum(axis=0)).ravel())
    scaled = ones @ import_sparse().diags(np.maximum(norms, 1e-9) ** -alpha).astype(np.float32)
    scaled = scaled.tocsr()
    return keep_strongest(multiply_blocks(scaled.T.tocsr(), scaled), sequences.item_count, power, keep)
