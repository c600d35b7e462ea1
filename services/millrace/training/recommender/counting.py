"""Counting by Spark what millrace.recommend counts in memory: pairs of items, transitions, products, popularity.

Cost of pairs: the sum over users of their squared number of items; of transitions: MAX_STEPS_AHEAD times the events; of
ridge's products: the events times MAX_PREDECESSORS squared. All are added up where the events are (see sums.py). The
driver gets the strongest links of each item, the dense matrices that ease and ridge are solved from, and the
transitions of the version that is published, for the events that come after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from millrace.recommend import linear, time_weighted
from millrace.recommend.links import Links
from millrace.recommend.markov import MAX_STEPS_AHEAD
from millrace.recommend.matrices import import_sparse
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


def weight_name(k1: float) -> str:
    """The name of the values of `count_pairs` for that k1 of BM25."""
    return f"weighted_{k1:g}".replace(".", "_")


def count_pairs(
    sequences: DataFrame,
    items: int,
    decay: TimeDecay | None = None,
    k1s: Sequence[float] = (K1,),
    plain: bool = True,
) -> DataFrame:
    """Rows with a value for each k1: gains, weighted by BM25, multiplied and added up over the users of both items.

    `together` beside them has the plain gains, unless `plain` is False. A user's item counts once, with the gain of its
    latest event. BM25 as in millrace.recommend.knn; see `weight_name`. Cached.
    """
    mean = float(only_row(sequences.agg(F.avg(F.size(F.array_distinct("items")))))[0] or 1.0)

    def count(users: Sequences) -> list[Any]:
        taken = time_weighted.strongest_events(users, event_gains(decay, users))
        sizes = np.diff(taken.indptr)
        heavy = [taken.multiply(((k1 + 1) / (1 + k1 * (1 - B + B * sizes / mean)))[:, None]).tocsr() for k1 in k1s]
        return [(matrix.T.tocsr() @ matrix).tocsr() for matrix in (*heavy, *([taken] if plain else []))]

    names = (*(weight_name(k1) for k1 in k1s), *(["together"] if plain else []))
    return sums.sum_matrices(sequences, items, names, count)


def make_gram(pairs: DataFrame, items: int) -> np.ndarray:
    """(items, items) float32, Fortran order: `together` of all pairs. For as many items as EASE takes."""
    dense = np.zeros((items, items), dtype=np.float32, order="F")
    for i, j, values in sums.collect_rows(pairs, items, "together"):
        dense[j, i] = values  # a column: the matrix is symmetric
    return dense


def make_knn(
    pairs: DataFrame, items: int, alpha: float = 1.0, power: float = 1.0, keep: int | None = None, k1: float = K1
) -> Links:
    """millrace.recommend.knn's links from `pairs` that were counted for this k1."""
    name = weight_name(k1)
    norms = np.sqrt(sums.read_diagonal(pairs, items, name))

    def value(i: int, j: np.ndarray, values: dict[str, np.ndarray]) -> np.ndarray:
        return values[name] / (norms[i] * norms[j]) ** alpha

    return sums.keep_strongest(pairs.select("i", "j", name), items, power, keep, value)


def count_ridge_products(sequences: DataFrame, items: int, decay: TimeDecay | None = None) -> DataFrame:
    """Rows of `value`, (items, 2 * items): both of linear.sum_ridge_products, side by side. Cached."""

    def count(users: Sequences) -> list[Any]:
        gains = None if decay is None else event_gains(decay, users)
        return [import_sparse().hstack(linear.sum_ridge_products(users, gains)).tocsr()]

    return sums.sum_matrices(sequences, items, ("value",), count, 2 * items)


def make_ridge_products(products: DataFrame, items: int) -> tuple[np.ndarray, np.ndarray]:
    """Both (items, items) float32, Fortran order. For as many items as ridge takes."""
    gram, target = (np.zeros((items, items), dtype=np.float32, order="F") for _ in range(2))
    for i, j, values in sums.collect_rows(products, items, "value", 2 * items):
        own = int(np.searchsorted(j, items))
        gram[j[:own], i] = values[:own]  # a column: the matrix is symmetric
        target[i, j[own:] - items] = values[own:]
    return gram, target


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
    sequences: DataFrame, items: int, since: Sequence[float | None], decay: TimeDecay | None = None
) -> np.ndarray:
    """(points + 1, items) float32: gains after each point of `since` (all where it is None), and of all time."""
    each = sequences.select(F.explode(F.arrays_zip("items", "since")).alias("e")).select("e.*")
    value = event_gain(decay, F.col("since"))
    within = [value if point is None else F.when(F.col("since") > point, value).otherwise(0.0) for point in since]
    names = [*(f"window{number}" for number in range(len(since))), "whole"]
    totals = [F.sum(column).alias(name) for name, column in zip(names, [*within, value], strict=True)]
    table = each.groupBy("items").agg(*totals).toArrow()
    gains = np.zeros((len(names), items), dtype=np.float32)
    gains[:, table.column("items").to_numpy()] = [table.column(name).to_numpy() for name in names]
    return gains
