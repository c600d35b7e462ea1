"""Implicit ALS by Spark, as the model that millrace.recommend.als serves.

Spark weighs its penalty by the events of each user and item (Zhou et al., "Large-Scale Parallel Collaborative
Filtering for the Netflix Prize", 2008). Who is asked for later is solved with the penalty of a mean history.
Cost of an iteration: events times FACTORS squared, items and users times FACTORS cubed, spread over the executors.
"""

import numpy as np
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.recommend.als import AlsModel
from millrace.recommend.links import age_weights
from millrace.spark.rows import only_row
from millrace.training.recommender.counting import TimeDecay, event_gain

FACTORS, ITERATIONS, PENALTY, ALPHA = 64, 8, 0.01, 5.0
LOW = (1 << 33) - 1  # of monotonically_increasing_id: the row within its partition


def number_users(sequences: DataFrame) -> DataFrame:
    """The rows with `number`, from 0 without gaps, which is what Spark's ALS can tell users apart by."""
    placed = sequences.withColumn("place", F.monotonically_increasing_id())
    split = placed.withColumn("partition", F.shiftright("place", 33).cast("int"))
    counts = sorted((row["partition"], row["count"]) for row in split.groupBy("partition").count().collect())
    before, starts = 0, []
    for partition, count in counts:
        starts += [F.lit(partition), F.lit(before)]
        before += count
    first = F.create_map(*starts)[F.col("partition")] if starts else F.lit(0)
    return split.withColumn("number", (F.col("place").bitwiseAND(LOW) + first).cast("int")).drop("place", "partition")


def fit_als(
    sequences: DataFrame, items: int, popular: np.ndarray, decay: TimeDecay | None = None, seed: int = 0
) -> AlsModel:
    """Factors of the items; a user's events of one item add up their gains. Items without events have factors of 0.

    How a history decays is not chosen here: see Als.with_power.
    """
    each = number_users(sequences).select("number", F.explode(F.arrays_zip("items", "since")).alias("e"))
    counts = each.groupBy("number", F.col("e.items").alias("item")).agg(
        F.sum(event_gain(decay, F.col("e.since"))).cast("float").alias("count")
    )
    model = ALS(
        rank=FACTORS,
        maxIter=ITERATIONS,
        regParam=PENALTY,
        implicitPrefs=True,
        alpha=ALPHA,
        userCol="number",
        itemCol="item",
        ratingCol="count",
        seed=seed,
    ).fit(counts)
    rows = model.itemFactors.toArrow()
    factors = np.zeros((items, FACTORS), dtype=np.float32)
    factors[rows.column("id").to_numpy()] = np.array(rows.column("features").to_pylist(), dtype=np.float32)
    length = only_row(counts.groupBy("number").count().agg(F.avg("count")))[0] or 1.0
    exact = factors.astype(np.float64)
    gram = exact.T @ exact + PENALTY * length * np.eye(FACTORS)
    return AlsModel(factors, gram, age_weights(0.5) * np.float32(ALPHA), popular)
