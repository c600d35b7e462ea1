"""A champion of `mooc` of some size whose links grow, fitted in this process: for measuring, not for its quality."""

import numpy as np

from millrace.evaluation.blend import make_blend
from millrace.recommend import knn, markov
from millrace.recommend.live_arrays import COUNT_ARRAYS, EXACT_UNITS, POPULAR_ARRAY, SEEN_ARRAY, STATIC_ARRAYS
from millrace.recommend.sequences import Sequences
from millrace.registry.registry import Registry
from tests.registry.made import draft, text_arrays

ITEMS, USERS, EACH = 3_300, 20_000, 12


def publish(registry: Registry) -> list[str]:
    """Publish and promote it, with nothing read from the topic so far; the ids of its items."""
    random = np.random.default_rng(7)
    # Users follow one of some paths, with what others take in between.
    begins = random.integers(0, ITEMS, USERS)[:, None] + np.arange(EACH) * 7
    strayed = random.random((USERS, EACH)) < 0.3
    chosen = np.where(strayed, (random.beta(1, 4, (USERS, EACH)) * ITEMS).astype(int), begins % ITEMS)
    interactions = Sequences(chosen.ravel().astype(np.int32), np.arange(USERS + 1) * EACH, ITEMS)
    whole = np.bincount(interactions.items, minlength=ITEMS)
    popular = np.argsort(-whole, kind="stable").astype(np.int32)
    still = knn.fit_knn(interactions)
    raw = markov.count_transitions(interactions).tocsr()
    counts = np.rint(raw.data.astype(np.float64) * EXACT_UNITS).astype(np.int64)
    static = (0.5 * still.matrix()).tocsr()
    arrays = make_blend([still, markov.fit_markov(interactions)], [0.5, 0.5], 1.0, popular).arrays()
    arrays |= dict(zip(COUNT_ARRAYS, (raw.indptr.astype(np.int64), raw.indices.astype(np.int32), counts), strict=True))
    arrays |= dict(zip(STATIC_ARRAYS, (static.indptr.astype(np.int64), static.indices, static.data), strict=True))
    ids = [f"C{item:05}" for item in range(ITEMS)]
    arrays |= {
        POPULAR_ARRAY: np.array([whole, whole], dtype=np.int64),
        SEEN_ARRAY: np.empty(0, dtype=np.uint64),
        "history_starts": interactions.starts,
        "history_items": interactions.items,
    }
    arrays |= text_arrays(users=sorted(f"U{user:06}" for user in range(USERS)), item_ids=ids, item_names=ids)
    live = {"share": 0.5, "norm": 0.5, "scale": EXACT_UNITS, "since": None, "now": None, "half_life": None}
    report = draft("mooc", "recommendations", "linked", {"live": live})
    nothing = report.model_copy(update={"data": report.data.model_copy(update={"offsets": {}})})
    registry.promote("mooc", "recommendations", registry.publish(nothing, arrays).version)
    return ids
