"""Hashed tokens: feature hashing with signs.

Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009. No
vocabulary has to be learnt, kept or sent around, and a word that is new tomorrow has its place.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from millrace.pages.hosts import UrlParts, find_domain
from millrace.pages.words import path_words
from millrace.runtime.text_cache import TextCache

BUCKETS = 2**14
TOKEN_CACHE_BYTES = 32_000_000  # tokens whose buckets are remembered; most take 300 bytes
HOST_CACHE_BYTES = 8_000_000  # hosts whose tokens are


def hash_token(token: str) -> int:
    """The bucket of a token, 0 ... BUCKETS - 1, or its complement (~bucket) where the token's sign is negative."""
    hashed = crc32(token.encode("utf-8", "surrogatepass"))
    bucket = hashed & (BUCKETS - 1)
    return ~bucket if hashed >> 31 else bucket


def hash_host(host: str) -> tuple[int, ...]:
    """Registered domain, public suffix and, where it is another than `www`, the whole host: one token each."""
    domain = find_domain(host)
    suffix = domain.partition(".")[2] if not domain[-1:].isdecimal() else "ip"
    codes = [hash_token(f"domain:{domain or host}"), hash_token(f"suffix:{suffix}")]
    if domain and host.removeprefix("www.") != domain:
        codes.append(hash_token(f"host:{host}"))
    return tuple(codes)


_tokens = TextCache(hash_token, TOKEN_CACHE_BYTES)
_host_tokens = TextCache(hash_host, HOST_CACHE_BYTES)


def hash_pages(
    cut: Sequence[UrlParts], titles: Sequence[str | None], keywords: Sequence[str | None]
) -> tuple[np.ndarray, np.ndarray]:
    """(codes, starts): int64 codes of all pages in a row, each page's distinct, and where each page begins, (n,).

    Every page has tokens: at the least those of its host, or of having none.
    """
    codes: list[int] = []
    starts = np.empty(len(cut), dtype=np.int64)
    for page, (part, title, keyword) in enumerate(zip(cut, titles, keywords, strict=True)):
        starts[page] = len(codes)
        codes += _host_tokens[part.host]
        codes += map(_tokens.__getitem__, path_words(title, keyword, part.path))
    return np.array(codes, dtype=np.int64), starts
