"""A small world: events of some users, a snapshot of the first of them, and what a training would make of both."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from millrace.evaluation.blend import make_blend
from millrace.online.version_base import VersionBase
from millrace.recommend import knn, markov, popularity, time_weighted
from millrace.recommend.link_model import LinkModel
from millrace.recommend.links import Links, age_weights
from millrace.recommend.live_arrays import (
    COUNT_ARRAYS,
    EXACT_UNITS,
    FINE_UNITS,
    POPULAR_ARRAY,
    SEEN_ARRAY,
    STATIC_ARRAYS,
    LiveParameters,
)
from millrace.recommend.sequences import Sequences
from millrace.records.identity import record_hash
from millrace.runtime.text_arrays import read_text_arrays
from millrace.workloads import find_workload
from tests.registry.made import text_arrays

ITEMS, USERS = 40, 25
START = datetime(2020, 1, 1, tzinfo=UTC)
VERSION = "20261122T000000Z-00000000"
MOOC = find_workload("mooc")
MODEL = MOOC.recommenders[0].name
Record = dict[str, Any]


def record(user: int, item: int, minutes: float | None) -> Record:
    at = None if minutes is None else START + timedelta(minutes=minutes)
    return {"user_id": f"U{user:02}", "course_id": f"C{item:02}", "enrolled_at": at}


def records(count: int, seed: int = 0) -> list[Record]:
    """Events in the order of time, each of its own minute."""
    random = np.random.default_rng(seed)
    chosen = zip(random.integers(0, USERS, count).tolist(), (random.beta(1, 3, count) * ITEMS).tolist(), strict=True)
    return [record(user, int(item), minute) for minute, (user, item) in enumerate(chosen)]


def sequences(result: list[Record]) -> Sequences:
    """Of all users, in the order of the events."""
    order = sorted(range(len(result)), key=lambda n: (result[n]["user_id"], n))
    users = np.array([int(result[n]["user_id"][1:]) for n in order], dtype=np.int64)
    items = np.array([int(result[n]["course_id"][1:]) for n in order], dtype=np.int32)
    times = np.array([result[n]["enrolled_at"].timestamp() for n in order])
    return Sequences(items, np.searchsorted(users, np.arange(USERS + 1)), ITEMS, times)


def counted(interactions: Sequences, live: LiveParameters):
    """(items, items) transitions: of the snapshot's formulas, time-weighted where the version is."""
    if live.half_life is None:
        return markov.count_transitions(interactions)
    return time_weighted.weighted_transitions(
        interactions, time_weighted.event_gains(interactions, live.half_life, live.now)
    )


def markov_layer(interactions: Sequences, live: LiveParameters) -> Links:
    if live.half_life is None:
        return markov.fit_markov(interactions, norm=live.norm)
    return time_weighted.fit_markov(interactions, live.half_life, norm=live.norm, now=live.now)


def fitted(interactions: Sequences, live: LiveParameters, static: Links | None, snapshot: Sequences) -> LinkModel:
    """What a training makes whose Markov layer counts these sequences; popularity's window is the snapshot's."""
    assert live.share is not None
    whole = popularity.count_items(interactions)
    lately = popularity.count_items(
        interactions, float(interactions.times.max()) - live.since, float(interactions.times.max())
    )
    popular = np.lexsort((-whole, -lately))[: int(np.count_nonzero(whole))].astype(np.int32)
    layer = markov_layer(interactions, live)
    if static is None:
        return LinkModel(layer.with_ages(age_weights(1.0)), popular)
    return make_blend([static, layer], [0.4, live.share], 1.0, popular)


def live_of(interactions: Sequences, half_life: float | None, alone: bool = False) -> LiveParameters:
    now = float(interactions.times.max())
    scale = EXACT_UNITS if half_life is None else FINE_UNITS
    return LiveParameters(1.0 if alone else 0.7, 0.5, scale, now - 3600, now, half_life)


def arrays(before: list[Record], live: LiveParameters, static: Links | None) -> dict[str, np.ndarray]:
    """The arrays of a version whose snapshot holds these events."""
    interactions = sequences(before)
    model = fitted(interactions, live, static, interactions)
    raw = counted(interactions, live).tocsr()
    raw.sort_indices()
    counts = np.rint(raw.data.astype(np.float64) * live.scale).astype(np.int64)
    made = dict(zip(COUNT_ARRAYS, (raw.indptr.astype(np.int64), raw.indices.astype(np.int32), counts), strict=True))
    if static is None:
        still = np.zeros(ITEMS + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    else:
        part = (0.4 * static.matrix()).tocsr()
        still = part.indptr.astype(np.int64), part.indices.astype(np.int32), part.data.astype(np.float32)
    made |= dict(zip(STATIC_ARRAYS, still, strict=True))
    whole = np.bincount(interactions.items, minlength=ITEMS)
    lately = np.bincount(interactions.items[interactions.times > live.since], minlength=ITEMS)
    present = np.flatnonzero(interactions.lengths)
    kept = interactions.take(present)
    return (
        model.arrays()
        | made
        | {
            POPULAR_ARRAY: np.array([lately, whole], dtype=np.int64),
            SEEN_ARRAY: np.array(sorted({record_hash(one, MOOC.identity) for one in before}), dtype=np.uint64),
            "history_starts": kept.starts,
            "history_items": kept.items,
        }
        | text_arrays(
            users=[f"U{user:02}" for user in present],
            item_ids=[f"C{item:02}" for item in range(ITEMS)],
            item_names=[f"Course {item}" for item in range(ITEMS)],
        )
    )


def static_layer(before: list[Record]) -> Links:
    return knn.fit_knn(sequences(before))


def base(values: dict[str, np.ndarray], live: LiveParameters) -> VersionBase:
    texts = read_text_arrays(values)
    items = {item: number for number, item in enumerate(texts["item_ids"])}
    own = texts["users"], values["history_starts"], values["history_items"], values[SEEN_ARRAY]
    return VersionBase(MOOC, MOOC.recommenders[0], VERSION, live, items, *own)


def parameters(live: LiveParameters) -> dict[str, Any]:
    return {"live": asdict(live)}
