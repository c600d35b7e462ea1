"""What a version keeps so that later events can be added to it (see recommend/live_arrays.py), fitted with it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampType

from millrace.evaluation.recipes import Recipe, collect_options, fit_recipe
from millrace.evaluation.sources import COUNT
from millrace.neural.candidates import ALL_CANDIDATES
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
from millrace.training.recommender.source import SparkSource
from millrace.workloads.base import Workload


def fit_live(source: SparkSource, recipe: Recipe) -> tuple[Recommender, dict[str, np.ndarray], dict[str, Any]]:
    """The model of a recipe, the arrays to which events are added, and `parameters.live` of the manifest.

    Transitions grow, and so does popularity; all other layers stay as they were fitted, as do models without links.
    """
    arrays: dict[str, np.ndarray] = {}
    share = None
    weighted = recipe.version != COUNT
    scale = FINE_UNITS if weighted else EXACT_UNITS
    with source.count(recipe.version, collect_options([recipe])) as counts:
        fitted = fit_recipe(counts, recipe, ALL_CANDIDATES)
        if "markov" in fitted.layers:
            named = recipe.positive_shares(fitted.layers)
            share = named["markov"] if len(named) > 1 else 1.0
            grown = counting.collect_transitions(counts.transitions, source.items, scale)
            arrays |= zip(COUNT_ARRAYS, grown, strict=True)
            arrays |= static_arrays(fitted.layers, recipe, source.items)
    window = recipe.options.get("popularity", {}).get("window", source.window)
    since = source.window_start(window)
    arrays[POPULAR_ARRAY] = np.rint(counting.count_popularity(source.sequences, source.items, [since])).astype(np.int64)
    norm = recipe.options.get("markov", {}).get("norm", LiveParameters.norm)
    live = LiveParameters(share, norm, scale, since, source.now, source.half_life if weighted else None)
    return fitted.model, arrays, asdict(live)


def static_arrays(links: Mapping[str, Links], recipe: Recipe, items: int) -> dict[str, np.ndarray]:
    """The sum of all layers but Markov's, by their shares; no links where it is the only one."""
    others = {name: share for name, share in recipe.positive_shares(links).items() if name != "markov"}
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
