"""The space in which pages are compared: where hashed tokens and lexical numbers become 29 coordinates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from millrace.pages import lexical
from millrace.pages.hosts import split_url
from millrace.pages.tokens import BUCKETS, hash_pages

Columns = Mapping[str, Sequence[str | None]]
"""`url`, `title` and `keywords`, of equal length; None is unknown and counts as empty."""
BLOCK_PAGES = 2048  # pages at a time: their tokens' rows stay in the processor's cache
TEXT_WIDTH = 16  # coordinates that come of words and hosts
WIDTH = TEXT_WIDTH + len(lexical.FEATURE_NAMES)


@dataclass(frozen=True)
class PageSpace:
    """What a first training learnt and later ones keep, so that centres of all versions can be compared.

    A page's tokens are weighted by `idf`, (BUCKETS,), and the normalised bag is projected by `projection`, (BUCKETS,
    TEXT): the right singular vectors of a sample (latent semantic analysis; Deerwester et al. 1990). The result is
    normalised again, as k-means on directions is better than on lengths. Then all coordinates, lexical ones
    included, are centred by `mean` and divided by `scale`, both (WIDTH,). All float32.
    """

    idf: np.ndarray
    projection: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    def features(self, columns: Columns) -> np.ndarray:
        """(n, WIDTH) float32. A page has the same coordinates alone and among others."""
        count = len(columns["url"])
        coordinates = np.empty((count, WIDTH), dtype=np.float32)
        for start, raw in self.raw(columns):
            coordinates[start : start + len(raw)] = (raw - self.mean) / self.scale
        return coordinates

    def raw(self, columns: Columns) -> Iterator[tuple[int, np.ndarray]]:
        """(first page, (n, WIDTH) float32) of each block, before centring and scaling."""
        for start in range(0, len(columns["url"]), BLOCK_PAGES):
            urls, titles, keywords = (
                columns[name][start : start + BLOCK_PAGES] for name in ("url", "title", "keywords")
            )
            urls = [url or "" for url in urls]
            cut = [split_url(url) for url in urls]
            text = self.text(*hash_pages(cut, titles, keywords))
            yield start, np.concatenate([text, lexical.lexical_features(urls, cut, titles).astype(np.float32)], axis=1)

    def text(self, codes: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """(n, TEXT) float32 of length 1, or 0 where no token of the page is known to the projection."""
        buckets, weights, norms = weigh_tokens(codes, starts, self.idf)
        vectors = np.add.reduceat(self.projection[buckets] * weights[:, None], starts, axis=0) / norms[:, None]
        lengths = np.sqrt((vectors * vectors).sum(axis=1))
        return vectors / np.maximum(lengths, np.float32(1e-6))[:, None]


def weigh_tokens(codes: np.ndarray, starts: np.ndarray, idf: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(buckets, signed idf weights) of all tokens, and each page's length of them, (n,)."""
    buckets = np.where(codes < 0, ~codes, codes)
    weights = idf[buckets]
    norms = np.sqrt(np.add.reduceat(weights * weights, starts))
    return buckets, np.where(codes < 0, -weights, weights), norms


__all__ = ["BUCKETS", "TEXT_WIDTH", "WIDTH", "Columns", "PageSpace", "weigh_tokens"]
