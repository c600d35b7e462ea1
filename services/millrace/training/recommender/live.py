"""What a version keeps so that later events can be added to it (see recommend/live_arrays.py), fitted with it."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampType

from millrace.recommend.links import Links
from millrace.recommend.live_arrays import (
    COUNT_ARRAYS,
    EXACT_UNITS,
    FINE_UNITS,
    POPULAR_ARRAY,
    SEEN_ARRAY,
    STATIC_ARRAYS,
    LiveParameters,
)
from millrace.recommend.top_items import Recommender
from millrace.records.identity import identity_hash
from millrace.training.dataset import offsets_within
from millrace.training.offsets import Ranges
from millrace.training.recommender import counting
from millrace.training.recommender.recipes import NORM, Recipe, RecipeSource, fit_recipe, positive_shares
from millrace.workloads.base import Workload


def fit_live(source: RecipeSource, recipe: Recipe) -> tuple[Recommender, dict[str, np.ndarray], dict[str, Any]]:
    """The model of a recipe, the arrays to which events are added, and `parameters.live` of the manifest."""
    arrays: dict[str, np.ndarray] = {}
    weighted = recipe["version"] != "count"
    scale = FINE_UNITS if weighted else EXACT_UNITS

    def raw(moves: DataFrame) -> None:
        arrays.update(zip(COUNT_ARRAYS, counting.collect_transitions(moves, source.items, scale), strict=True))

    def add_layers(links: dict[str, Links]) -> None:
        if "markov" in links:
            arrays.update(static_arrays(links, recipe, source.items))

    model = fit_recipe(source, recipe, add_layers, raw)
    since = None if source.now is None else source.now - source.window
    arrays[POPULAR_ARRAY] = np.rint(counting.count_popularity(source.sequences, source.items, since)).astype(np.int64)
    share = None
    if COUNT_ARRAYS[0] in arrays:
        named = positive_shares(recipe, source.layers)
        share = named["markov"] if len(named) > 1 else 1.0
    live = LiveParameters(share, NORM, scale, since, source.now, source.half_life if weighted else None)
    return model, arrays, asdict(live)


def static_arrays(links: dict[str, Links], recipe: Recipe, items: int) -> dict[str, np.ndarray]:
    """The sum of all layers but Markov's, by their shares; no links where it is the only one."""
    others = {name: share for name, share in positive_shares(recipe, links).items() if name != "markov"}
    if not others:
        empty = np.zeros(items + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
        return dict(zip(STATIC_ARRAYS, empty, strict=True))
    total: Any = sum(float(share) * links[name].matrix() for name, share in others.items())
    total = total.tocsr()
    total.sort_indices()
    values = total.indptr.astype(np.int64), total.indices.astype(np.int32), total.data.astype(np.float32)
    return dict(zip(STATIC_ARRAYS, values, strict=True))


def seen_array(rows: DataFrame, workload: Workload, bounds: Ranges) -> dict[str, np.ndarray]:
    """The hashes of the identities of all events within the bounds, sorted, each once: 8 bytes an event."""
    inside = rows.where(offsets_within(bounds))
    kinds = {field.name: field.dataType for field in inside.schema.fields}
    values = [
        F.unix_micros(name).alias(name) if isinstance(kinds[name], TimestampType) else F.col(name)
        for name in workload.identity
    ]

    def hash_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = [column.to_pylist() for column in batch.columns]
            hashes = np.array([identity_hash(one) for one in zip(*columns, strict=True)], dtype=np.uint64)
            yield pa.RecordBatch.from_arrays([pa.array(hashes.view(np.int64))], ["hash"])

    table = inside.select(*values).mapInArrow(hash_rows, "hash long").toArrow()
    return {SEEN_ARRAY: np.unique(table.column("hash").to_numpy().view(np.uint64))}
