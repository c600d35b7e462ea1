"""Learning a space from a sample of pages. Training only: it needs SciPy."""

from typing import Any

import numpy as np

from millrace.pages.hosts import split_url
from millrace.pages.space import BUCKETS, TEXT_WIDTH, WIDTH, Columns, PageSpace, weigh_tokens
from millrace.pages.tokens import hash_pages

LEXICAL_WEIGHT = 0.15
"""The lexical numbers' share of the variance: as many as they are, they would outweigh what pages are about."""


def learn_space(columns: Columns, seed: int) -> PageSpace:
    """The space of a sample of pages: idf, truncated SVD of their tokens, centring and scaling.

    The same pages in the same order and the same seed give the same space.
    """
    urls = [url or "" for url in columns["url"]]
    codes, starts = hash_pages([split_url(url) for url in urls], columns["title"], columns["keywords"])
    idf = compute_idf(codes, len(starts))
    projection = compute_projection(codes, starts, idf, seed)
    blank = PageSpace(idf, projection, np.zeros(WIDTH, np.float32), np.ones(WIDTH, np.float32))
    raw = np.concatenate([block for _, block in blank.raw(columns)]).astype(np.float64)
    mean, spread = raw.mean(axis=0), raw.std(axis=0)
    # Coordinates of the words keep their proportions, so that the strongest direction stays the strongest. A constant
    # column has no spread; 1 leaves it at zero for every page.
    scale = np.where(spread > 0, spread, 1.0)
    scale[:TEXT_WIDTH] = np.sqrt((spread[:TEXT_WIDTH] ** 2).sum() / (1 - LEXICAL_WEIGHT)) or 1.0
    scale[TEXT_WIDTH:] *= np.sqrt((WIDTH - TEXT_WIDTH) / LEXICAL_WEIGHT)
    return PageSpace(idf, projection, mean.astype(np.float32), scale.astype(np.float32))


def compute_idf(codes: np.ndarray, pages: int) -> np.ndarray:
    """ln((1 + pages) / (1 + pages with the bucket)) + 1, the smoothed idf of scikit-learn's TfidfTransformer."""
    buckets = np.where(codes < 0, ~codes, codes)
    counts = np.minimum(np.bincount(buckets, minlength=BUCKETS), pages)
    return (np.log((1 + pages) / (1 + counts)) + 1).astype(np.float32)


def compute_projection(codes: np.ndarray, starts: np.ndarray, idf: np.ndarray, seed: int) -> np.ndarray:
    """(BUCKETS, TEXT) float32: the first right singular vectors of the pages' weighted tokens, strongest first."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import svds

    buckets, weights, norms = weigh_tokens(codes, starts, idf)
    lengths = np.diff(starts, append=len(codes))
    values = (weights / np.repeat(norms, lengths)).astype(np.float64)
    ends = np.append(starts, len(codes))
    bags = csr_matrix((values, buckets, ends), shape=(len(starts), BUCKETS))
    bags.sum_duplicates()
    rank = min(TEXT_WIDTH, len(starts) - 1)
    start = np.random.default_rng(seed).normal(size=min(len(starts), BUCKETS))
    triplets: Any = svds(bags, k=rank, v0=start)
    _, strengths, vectors = triplets
    order = np.argsort(-strengths)
    # Singular vectors have no sign of their own: the largest entry is made positive.
    vectors = vectors[order]
    vectors *= np.sign(vectors[np.arange(rank), np.abs(vectors).argmax(axis=1)])[:, None]
    projection = np.zeros((BUCKETS, TEXT_WIDTH), dtype=np.float32)
    projection[:, :rank] = vectors.T
    return projection
