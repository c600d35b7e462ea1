"""K-means by Spark MLlib, k by silhouette, exported as arrays that give Spark's own answers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.ml.clustering import KMeans as SparkKMeans
from pyspark.ml.clustering import KMeansModel
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.errors import BadInputError, CorruptError
from millrace.scoring.kmeans import KMeans, order_centres
from millrace.spark.rows import only_row
from millrace.workloads.base import ClusterModel

MAX_ITERATIONS = 20
PARALLEL_FITS = 4
MAX_COMPARED_ROWS = 200_000  # rows on which the export must agree with Spark


@dataclass(frozen=True)
class KMeansFit:
    """A fitted model: arrays for serving, and every row with the cluster that Spark gave it."""

    scorer: KMeans
    k: int
    silhouettes: dict[int, float]
    """k -> mean silhouette over the fitted rows."""
    inertia: float
    """Sum of squared distances of the fitted rows to their centres."""
    fitted: int
    assigned: DataFrame
    """record_id, held_out, cluster, in the numbering of the names."""


def fit_kmeans(frame: DataFrame, model: ClusterModel) -> KMeansFit:
    """Fit the candidate k on the rows that are not held out, keep the best silhouette, assign every row.

    `frame` is `featured()`'s. Raises BadInputError when there are too few distinct rows to cluster.
    """
    names = [column for column in frame.columns if column.startswith("f")]
    fitted = frame.where("NOT held_out")
    totals = fitted.agg(
        F.count("*").alias("rows"),
        F.count_distinct(*names).alias("distinct"),
        *(F.avg(name).alias(f"mean_{name}") for name in names),
        *(F.stddev_pop(name).alias(f"scale_{name}") for name in names),
    )
    statistics = only_row(totals)
    if statistics.rows < 2 * max(model.k) or statistics.distinct < max(model.k):
        raise BadInputError(
            f"{model.name} has {statistics.rows} usable rows, {statistics.distinct} of them different; allowed: at "
            f"least {2 * max(model.k)} rows for up to {max(model.k)} clusters. Ingest more.",
            code="too_few_rows",
            field="rows",
        )
    mean = np.array([statistics[f"mean_{name}"] for name in names])
    # A constant column has no scale; 1 leaves it at zero for every row.
    scale = np.array([statistics[f"scale_{name}"] or 1.0 for name in names])
    standardised = _standardise(frame, names, mean, scale).cache()
    training = standardised.where("NOT held_out").cache()
    evaluator = ClusteringEvaluator(metricName="silhouette", distanceMeasure="squaredEuclidean")

    def attempt(k: int) -> tuple[int, float, KMeansModel]:
        spark_model = SparkKMeans(k=k, seed=model.seed, maxIter=MAX_ITERATIONS, initSteps=2).fit(training)
        distinct_k = len(spark_model.clusterCenters())
        quality = evaluator.evaluate(spark_model.transform(training)) if distinct_k > 1 else 0.0
        return distinct_k, quality, spark_model

    tried: dict[int, tuple[float, KMeansModel]] = {}
    # Side by side, because a small fit is mostly waiting for Spark's scheduler; each has its own seed.
    with ThreadPoolExecutor(PARALLEL_FITS) as pool:
        for distinct_k, quality, spark_model in pool.map(attempt, model.k):
            tried.setdefault(distinct_k, (quality, spark_model))
    k, (_, best) = max(tried.items(), key=lambda item: item[1][0])
    raw_centres = np.array(best.clusterCenters())
    weights = np.array([model.axis.get(feature.field, 0.0) for feature in model.features])
    order = order_centres(raw_centres, weights)
    scorer = KMeans(mean, scale, raw_centres[order])
    numbering = F.array(*(F.lit(int(number)) for number in np.argsort(order)))
    predicted = best.transform(standardised).withColumn("cluster", F.element_at(numbering, F.col("prediction") + 1))
    assigned = predicted.select("record_id", "held_out", "cluster", *names).cache()
    check_export(scorer, assigned, names)
    qualities = {tried_k: quality for tried_k, (quality, _) in tried.items()}
    result = KMeansFit(scorer, k, qualities, best.summary.trainingCost, statistics.rows, assigned)
    training.unpersist()
    standardised.unpersist()
    return result


def _standardise(frame: DataFrame, names: list[str], mean: np.ndarray, scale: np.ndarray) -> DataFrame:
    """The frame with a vector `features`: the same two operations on doubles as KMeans.standardise."""
    scaled = frame
    for number, name in enumerate(names):
        scaled = scaled.withColumn(f"z{number}", (F.col(name) - float(mean[number])) / float(scale[number]))
    inputs = [f"z{number}" for number in range(len(names))]
    return VectorAssembler(inputCols=inputs, outputCol="features").transform(scaled).drop(*inputs)


def check_export(scorer: KMeans, assigned: DataFrame, names: list[str]) -> None:
    """Raises CorruptError unless the export gives each compared row the cluster that Spark gave it."""
    rows = assigned.select("cluster", *names).limit(MAX_COMPARED_ROWS).toArrow()
    values = np.column_stack([rows.column(name).to_numpy() for name in names])
    clusters, _ = scorer.assign(values)
    check_same_clusters(clusters, rows.column("cluster").to_numpy(), "rows", lambda row: values[row].tolist())


def check_same_clusters(exported: np.ndarray, expected: np.ndarray, what: str, shown: Callable[[int], Any]) -> None:
    """Raises CorruptError that shows the first row for which the export's cluster, (n,), is not Spark's, (n,)."""
    different = np.flatnonzero(exported != expected)
    if len(different):
        row = int(different[0])
        raise CorruptError(
            f"The export gives {len(different)} of {len(exported)} {what} another cluster than Spark, the first is "
            f"{shown(row)}: {exported[row]} instead of {expected[row]}. Nothing was published.",
            code="export_differs",
        )
