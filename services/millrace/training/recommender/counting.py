"""Counting by Spark what millrace.recommend counts in memory: pairs of items, transitions, popularity.

Cost of pairs: the sum over users of their squared number of items; of transitions: MAX_STEPS_AHEAD times the
events. Both are added up where the events are (see sums.py); the driver gets the strongest links of each item, and the
transitions of the version that is published, for the events that come after it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.recommend import time_weighted
from millrace.recommend.links import Links
from millrace.recommend.markov import MAX_STEPS_AHEAD
from millrace.recommend.sequences import Sequences
from millrace.spark.rows import only_row
from millrace.training.recommender import sums

DAY_S = 86_400.0
K1, B = 1.2, 0.75


@dataclass(frozen=True)
class TimeDecay:
    """An event counts 2 ** -(age / half_life), its age in seconds before `now`; one without a time as `oldest`."""

    now: float
    half_life: float
    oldest: float

    def column(self, since: Column) -> Column:
        age = F.greatest(F.lit(self.now) - F.coalesce(since, F.lit(self.oldest)), F.lit(0.0))
        return F.exp(-age * float(np.log(2) / self.half_life))

    def gains(self, since: np.ndarray) -> np.ndarray:
        """(n,) of (n,) seconds, NaN where a time is unknown."""
        age = np.maximum(self.now - np.where(np.isnan(since), self.oldest, since), 0.0)
        return np.exp(-age * float(np.log(2) / self.half_life))


def event_gain(decay: TimeDecay | None, since: Column) -> Column:
    """What an event of that time counts; 1 without a decay."""
    return decay.column(since) if decay else F.lit(1.0)


def event_gains(decay: TimeDecay | None, users: Sequences) -> np.ndarray:
    """What each event of the users counts, (n,); 1 without a decay."""
    if decay is None:
        return np.ones(len(users.items))
    assert users.times is not None
    return decay.gains(users.times)


def count_pairs(sequences: DataFrame, items: int, decay: TimeDecay | None = None, plain: bool = True) -> DataFrame:
    """Rows of `weighted`: gains, weighted by BM25, multiplied and added up over the users of both items. Cached.

    `together` beside it has the plain gains, unless `plain` is False. A user's item counts once, with the gain of its
    latest event. BM25 as in millrace.recommend.knn.
    """
    mean = float(only_row(sequences.agg(F.avg(F.size(F.array_distinct("items")))))[0] or 1.0)

    def count(users: Sequences) -> list[Any]:
        taken = time_weighted.strongest_events(users, event_gains(decay, users))
        sizes = np.diff(taken.indptr)
        weight = (K1 + 1) / (1 + K1 * (1 - B + B * sizes / mean))
        heavy = taken.multiply(weight[:, None]).tocsr()
        return [(one.T.tocsr() @ one).tocsr() for one in ((heavy, taken) if plain else (heavy,))]

    return sums.sum_matrices(sequences, items, ("weighted", "together") if plain else ("weighted",), count)


def make_gram(pairs: DataFrame, items: int) -> np.ndarray:
    """(items, items) float32, Fortran order: `together` of all pairs. For as many items as EASE takes."""
    dense = np.zeros((items, items), dtype=np.float32, order="F")
    for batch in pairs.select("i", "j", "together").toArrow().to_batches():
        for i, j, values in sums.iterate_rows(batch):
            dense[j, i] = values["together"]  # a column: the matrix is symmetric
    return dense


def make_knn(pairs: DataFrame, items: int, alpha: float = 1.0, power: float = 1.0, keep: int | None = None) -> Links:
    """millrace.recommend.knn's links from `pairs`."""
    norms = np.sqrt(sums.read_diagonal(pairs, items))

    def value(i: int, j: np.ndarray, values: dict[str, np.ndarray]) -> np.ndarray:
        return values["weighted"] / (norms[i] * norms[j]) ** alpha

    return sums.keep_strongest(pairs.select("i", "j", "weighted"), items, power, keep, value)


def count_transitions(
    sequences: DataFrame, items: int, decay: TimeDecay | None = None, ahead: int = MAX_STEPS_AHEAD
) -> DataFrame:
    """Rows of `value`: millrace.recommend.markov's decayed counts, each times the gain of the later event. Cached."""

    def count(users: Sequences) -> list[Any]:
        return [time_weighted.weighted_transitions(users, event_gains(decay, users), ahead)]

    return sums.sum_matrices(sequences, items, ("value",), count)


def collect_transitions(transitions: DataFrame, items: int, scale: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All `transitions` as a CSR in this process' memory, its values int64 in units of 1 / scale; 12 bytes a value."""
    table = transitions.select("i", "j", "value").toArrow()
    table = table.take(pa.array(np.argsort(table.column("i").to_numpy())))
    neighbours, ends = sums.unpack_parts(table.column("j"), np.int32)
    lengths = np.zeros(items, dtype=np.int64)
    lengths[table.column("i").to_numpy()] = np.diff(ends)
    values, _ = sums.unpack_parts(table.column("value"), np.float64)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return starts, neighbours, np.rint(values * scale).astype(np.int64)


def make_markov(
    transitions: DataFrame, items: int, norm: float = 0.5, power: float = 1.0, keep: int | None = None
) -> Links:
    """millrace.recommend.markov's links from `transitions`."""

    def value(i: int, j: np.ndarray, values: dict[str, np.ndarray]) -> np.ndarray:
        return values["value"] / values["value"].sum() ** norm

    return sums.keep_strongest(transitions, items, power, keep, value)


def count_popularity(
    sequences: DataFrame, items: int, since: float | None, decay: TimeDecay | None = None
) -> np.ndarray:
    """(2, items) float32: gains after `since` (all where None) and of all time."""
    each = sequences.select(F.explode(F.arrays_zip("items", "since")).alias("e")).select("e.*")
    value = event_gain(decay, F.col("since"))
    lately = value if since is None else F.when(F.col("since") > since, value).otherwise(0.0)
    table = each.groupBy("items").agg(F.sum(lately).alias("lately"), F.sum(value).alias("whole")).toArrow()
    gains = np.zeros((2, items), dtype=np.float32)
    gains[:, table.column("items").to_numpy()] = [table.column(name).to_numpy() for name in ("lately", "whole")]
    return gains
