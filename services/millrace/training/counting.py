"""Counting by Spark what millrace.recommend counts in memory: pairs of items, transitions, popularity.

Cost of pairs: the sum over users of their squared number of items, each pair a row that is added up where it arises and
shuffled once; of transitions: AHEAD rows an event. The driver gets the strongest links of each item and no more.
"""

from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from millrace.recommend.links import Links, by_age, kept
from millrace.recommend.markov import AHEAD

DAY = 86_400.0
K1, B = 1.2, 0.75


@dataclass(frozen=True)
class Decay:
    """An event counts 2 ** -(age / half_life), its age in seconds before `now`; one without a time as `oldest`."""

    now: float
    half_life: float
    oldest: float

    def of(self, since: Column) -> Column:
        age = F.greatest(F.lit(self.now) - F.coalesce(since, F.lit(self.oldest)), F.lit(0.0))
        return F.exp(-age * float(np.log(2) / self.half_life))


def gain(decay: Decay | None, since: Column) -> Column:
    return decay.of(since) if decay else F.lit(1.0)


def pairs(sequences: DataFrame, decay: Decay | None = None) -> DataFrame:
    """i, j >= i, `together`: gains multiplied and added up over the users of both; `weighted`: by BM25 too.

    A user's item counts once, with the gain of its latest event. BM25 as in millrace.recommend.knn. Cached.
    """
    each = sequences.select("user", F.explode(F.arrays_zip("items", "since")).alias("e"))
    best = each.groupBy("user", F.col("e.items").alias("item")).agg(F.max(gain(decay, F.col("e.since"))).alias("gain"))
    baskets = best.groupBy("user").agg(F.sort_array(F.collect_list(F.struct("item", "gain"))).alias("basket")).cache()
    size = F.size("basket")
    mean = baskets.agg(F.avg(size)).first()[0] or 1.0
    weight = (K1 + 1) / (1 + K1 * (1 - B + B * size / F.lit(float(mean))))
    first = baskets.select((weight * weight).alias("square"), "basket", F.posexplode("basket").alias("place", "a"))
    both = first.select("square", "a", F.explode(F.expr("slice(basket, place + 1, size(basket))")).alias("b"))
    gains = F.col("a.gain") * F.col("b.gain")
    found = both.groupBy(F.col("a.item").alias("i"), F.col("b.item").alias("j")).agg(
        F.sum(gains).alias("together"), F.sum(gains * F.col("square")).alias("weighted")
    )
    found = found.cache()
    found.count()
    baskets.unpersist()
    return found


def gram(found: DataFrame, items: int) -> np.ndarray:
    """(items, items) float32, Fortran order: `together` of all pairs. For as many items as EASE takes."""
    table = found.select("i", "j", "together").toArrow()
    i, j, value = (table.column(name).to_numpy() for name in ("i", "j", "together"))
    dense = np.zeros((items, items), dtype=np.float32, order="F")
    dense[i, j] = dense[j, i] = value
    return dense


def knn(found: DataFrame, items: int, alpha: float = 1.0, power: float = 1.0, keep: int | None = None) -> Links:
    """millrace.recommend.knn's links from `pairs`."""
    own = found.where("i = j").select("i", F.sqrt("weighted").alias("norm"))
    other = found.where("i != j")
    scaled = (
        other.join(F.broadcast(own.withColumnRenamed("norm", "norm_i")), "i")
        .join(F.broadcast(own.select(F.col("i").alias("j"), F.col("norm").alias("norm_j"))), "j")
        .select("i", "j", (F.col("weighted") / F.pow(F.col("norm_i") * F.col("norm_j"), alpha)).alias("value"))
    )
    mirrored = scaled.union(scaled.select(F.col("j").alias("i"), F.col("i").alias("j"), "value"))
    return strongest(mirrored, items, power, keep)


def transitions(sequences: DataFrame, decay: Decay | None = None, ahead: int = AHEAD) -> DataFrame:
    """i, j, value: millrace.recommend.markov's decayed counts, each times the gain of the later event. Cached."""
    zipped = sequences.select(F.arrays_zip("items", "since").alias("all"))
    first = zipped.select("all", F.posexplode("all").alias("place", "a"))
    later = F.posexplode(F.expr(f"slice(all, place + 2, {int(ahead)})")).alias("distance", "b")
    both = first.select("a", later)
    share = gain(decay, F.col("b.since")) / (F.col("distance") + 1)
    return (
        both.groupBy(F.col("a.items").alias("i"), F.col("b.items").alias("j")).agg(F.sum(share).alias("value")).cache()
    )


def markov(found: DataFrame, items: int, norm: float = 0.5, power: float = 1.0, keep: int | None = None) -> Links:
    """millrace.recommend.markov's links from `transitions`."""
    sums = found.groupBy("i").agg(F.sum("value").alias("sum"))
    scaled = found.join(F.broadcast(sums), "i").where("i != j")
    return strongest(scaled.select("i", "j", (F.col("value") / F.pow("sum", norm)).alias("value")), items, power, keep)


def strongest(values: DataFrame, items: int, power: float, keep: int | None = None) -> Links:
    """The `keep` largest values above 0 of each i, of equal ones the lower j; only these leave Spark."""
    keep = kept(items) if keep is None else keep
    order = Window.partitionBy("i").orderBy(F.desc("value"), "j")
    ranked = values.where("value > 0").withColumn("rank", F.row_number().over(order)).where(F.col("rank") <= keep)
    table = ranked.select("i", "j", F.col("value").cast("float").alias("value")).toArrow()
    i, j, value = (table.column(name).to_numpy() for name in ("i", "j", "value"))
    sort = np.lexsort((j, -value, i))
    starts = np.concatenate([[0], np.cumsum(np.bincount(i, minlength=items))]).astype(np.int64)
    return Links(starts, j[sort].astype(np.int32), value[sort].astype(np.float32), by_age(power))


def popularity(sequences: DataFrame, items: int, since: float | None, decay: Decay | None = None) -> np.ndarray:
    """(2, items) float32: gains after `since` (all where None) and of all time."""
    each = sequences.select(F.explode(F.arrays_zip("items", "since")).alias("e")).select("e.*")
    value = gain(decay, F.col("since"))
    lately = value if since is None else F.when(F.col("since") > since, value).otherwise(0.0)
    table = each.groupBy("items").agg(F.sum(lately).alias("lately"), F.sum(value).alias("whole")).toArrow()
    found = np.zeros((2, items), dtype=np.float32)
    found[:, table.column("items").to_numpy()] = [table.column(name).to_numpy() for name in ("lately", "whole")]
    return found
