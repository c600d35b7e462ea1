"""Pages in Spark: samples for the driver, features once for all fits, sums and assignments."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.ml.clustering import KMeans as SparkKMeans
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.pages.model import PageClusters
from millrace.pages.space import PageSpace
from millrace.pages.update import ClusterSums
from millrace.training import dataset
from millrace.training.clusters.kmeans import MAX_ITERATIONS, PARALLEL_FITS
from millrace.training.offsets import Ranges
from millrace.workloads.base import PageModel

SAMPLE_PAGES = 50_000  # pages that the driver looks at: what it reads of them does not change with more
FIELD_NAMES = ("url", "title", "keywords")


class PageSample(dict[str, list[str | None]]):
    """Pages by column, in this process."""

    def features(self, space: PageSpace) -> np.ndarray:
        """(n, WIDTH) float64 in a space."""
        return space.features(self).astype(np.float64)


def page_fields(model: PageModel) -> tuple[str, str, str]:
    """The record's fields that are called NAMES here."""
    return model.url, model.title, model.keywords


def take_sample(rows: DataFrame, model: PageModel) -> PageSample:
    """Up to SAMPLE pages, the same ones of the same rows: those with the smallest hashes of their ids."""
    chosen = (
        rows.orderBy(F.xxhash64(F.lit("sample"), "record_id"), "record_id")
        .limit(SAMPLE_PAGES)
        .select(*page_fields(model))
    )
    columns = chosen.toArrow().columns
    return PageSample({name: column.to_pylist() for name, column in zip(FIELD_NAMES, columns, strict=True)})


def take_held_out(rows: DataFrame, model: PageModel) -> PageSample:
    """The held-out pages that every gate of a snapshot sees."""
    return take_sample(rows.where(dataset.is_held_out()), model)


@dataclass(frozen=True)
class PageFrame:
    """`rows`: record_id, held_out, new (whether the champion has not read it) and f, the features, cached."""

    rows: DataFrame
    space: PageSpace
    fitted: int
    """Pages that are not held out."""
    new: int
    """Pages among these that the champion has not read."""

    @classmethod
    def from_records(cls, records: dataset.RecordSet, space: PageSpace, model: PageModel, read: Ranges) -> "PageFrame":
        """The features of every record, by the code that the stream runs.

        Sorted and cached: k-means is repeatable only over a fixed order, and MLlib over an Iceberg scan that is not
        cached fails.
        """

        def compute(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                texts = zip(FIELD_NAMES, page_fields(model), strict=True)
                values = space.features({name: batch.column(field).to_pylist() for name, field in texts})
                kept = [batch.column(name) for name in ("record_id", "held_out", "new")]
                yield pa.RecordBatch.from_arrays([*kept, to_arrow_lists(values)], ["record_id", "held_out", "new", "f"])

        chosen = records.rows.withColumn("held_out", dataset.is_held_out()).withColumn(
            "new", ~dataset.offsets_within(read)
        )
        partitions = max(1, -(-records.kept // dataset.ROWS_PER_PARTITION))
        ordered = (
            chosen.select("record_id", "held_out", "new", *page_fields(model))
            .repartition(partitions, "record_id")
            .sortWithinPartitions("record_id")
        )
        schema = "record_id string, held_out boolean, new boolean, f array<float>"
        rows = ordered.mapInArrow(compute, schema).cache()
        counted = rows.where("NOT held_out").agg(F.count("*"), F.count_if("new")).first()
        return cls(rows, space, *(counted or (0, 0)))

    def fit_kmeans(self, numbers: Sequence[int], seeds: Sequence[int]) -> list[np.ndarray]:
        """The centres that Spark finds for each number of clusters with each seed.

        Each is (k, WIDTH) float64; k may be less than asked.
        """
        vectors = self.rows.where("NOT held_out").select(array_to_vector(F.col("f")).alias("features")).cache()

        def attempt(k: int, seed: int) -> np.ndarray:
            fit = SparkKMeans(k=k, seed=seed, maxIter=MAX_ITERATIONS, initSteps=2).fit(vectors)
            return np.array(fit.clusterCenters())

        vectors.count()  # else the fits that start together would each make the vectors
        # Side by side, because a small fit is mostly waiting for Spark's scheduler; each has its own seed.
        with ThreadPoolExecutor(PARALLEL_FITS) as pool:
            centres = list(pool.map(lambda pair: attempt(*pair), itertools.product(numbers, seeds)))
        vectors.unpersist()
        return centres

    def sum_clusters(self, pages: PageClusters, only_new: bool) -> ClusterSums:
        """The sums of the pages that are not held out, each in its nearest cluster."""

        def compute(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                values = to_matrix(batch.column("f"), pages)
                part = ClusterSums.from_pages(values, *pages.nearest(values), pages.k)
                yield pa.RecordBatch.from_pydict(
                    {"counts": [part.counts], "totals": [part.totals.ravel()], "inertia": [part.inertia]}
                )

        chosen = self.rows.where("NOT held_out AND new" if only_new else "NOT held_out").select("f")
        schema = "counts array<double>, totals array<double>, inertia double"
        total = ClusterSums(np.zeros(pages.k), np.zeros(pages.centres.shape), 0.0)
        for row in chosen.mapInArrow(compute, schema).toArrow().to_pylist():
            total += ClusterSums(
                np.array(row["counts"]), np.array(row["totals"]).reshape(total.totals.shape), row["inertia"]
            )
        return total

    def assign(self, pages: PageClusters) -> tuple[DataFrame, list[int], float]:
        """(record_id, held_out, cluster and distance of every page, cached; sizes; inertia of what is not held out)."""

        def compute(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                clusters, distances = pages.nearest(to_matrix(batch.column("f"), pages))
                kept = [batch.column("record_id"), batch.column("held_out")]
                columns = [pa.array(clusters.astype(np.int32)), pa.array(distances)]
                yield pa.RecordBatch.from_arrays([*kept, *columns], ["record_id", "held_out", "cluster", "distance"])

        schema = "record_id string, held_out boolean, cluster int, distance double"
        rows = self.rows.mapInArrow(compute, schema).cache()
        squared = F.sum(F.when(~F.col("held_out"), F.col("distance") ** 2).otherwise(0.0))
        counted = {row[0]: (row[1], row[2]) for row in rows.groupBy("cluster").agg(F.count("*"), squared).collect()}
        sizes = [counted.get(number, (0, 0.0))[0] for number in range(pages.k)]
        return rows, sizes, sum(inertia for _, inertia in counted.values())

    def take_new_sample(
        self, records: dataset.RecordSet, sampled: PageSample, model: PageModel, read: Ranges
    ) -> PageSample:
        """A sample of the pages that the champion has not read; where there are none, of all."""
        if not self.new:
            return sampled
        return take_sample(records.rows.where(~dataset.is_held_out() & ~dataset.offsets_within(read)), model)


def to_arrow_lists(values: np.ndarray) -> pa.Array:
    """(n, d) float32 as an Arrow list a row."""
    offsets = pa.array(np.arange(0, values.size + 1, values.shape[1], dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))


def to_matrix(column: pa.Array, pages: PageClusters) -> np.ndarray:
    """Arrow lists of the model's width as (n, d) float32."""
    return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, pages.centres.shape[1])
