"""Path depth and twelve lexical numbers of a page: how its URL is built, whatever the words mean.

The kind of numbers that tell URLs apart without the page (Ma et al., "Beyond Blacklists", KDD 2009, section 3.1).
"""

from collections.abc import Sequence

import numpy as np

from millrace.pages.hosts import UrlParts

FEATURE_NAMES = (
    "path_depth",
    "url_length",
    "host_length",
    "path_length",
    "query_length",
    "parameters",
    "host_labels",
    "hyphens",
    "digits",
    "escapes",
    "encrypted",
    "file_name",
    "title_length",
)
MAX_COUNTED = 10
"""The first so many are counts: their logarithm is taken, as they span three decades."""
DIGITS = b"0123456789"


def lexical_features(urls: Sequence[str], cut: Sequence[UrlParts], titles: Sequence[str | None]) -> np.ndarray:
    """(n, 13) float64 of the pages, in the order of NAMES.

    Counts as log1p, of characters but for depth, parameters and labels; two flags; log1p of the title's characters.
    """
    rows = [_page_features(url, *part, title) for url, part, title in zip(urls, cut, titles, strict=True)]
    values = np.array(rows, dtype=np.float64).reshape(len(rows), len(FEATURE_NAMES))
    values[:, :MAX_COUNTED] = np.log1p(values[:, :MAX_COUNTED])
    values[:, -1] = np.log1p(values[:, -1])
    return values


def _page_features(url: str, scheme: str, host: str, path: str, query: str, title: str | None) -> tuple[int, ...]:
    inner = path.rstrip("/")
    shown = (path + query).encode("utf-8", "surrogatepass")
    return (
        inner.count("/"),
        len(url),
        len(host),
        len(path),
        len(query),
        query.count("=") if query else 0,
        host.count(".") + 1,
        path.count("-") + path.count("_"),
        len(shown) - len(shown.translate(None, DIGITS)),
        url.count("%") + len(shown) - len(path) - len(query),
        scheme == "https",
        "." in inner[inner.rfind("/") + 1 :],
        len(title or ""),
    )
