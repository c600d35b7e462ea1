"""The training set: the records of a window, each once, the latest of each identity, with the model's features."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from millrace.lake import CATALOG, table_name
from millrace.records.contract import list_time_fields
from millrace.records.times import is_plausible
from millrace.scoring.features import make_matrix
from millrace.training.offsets import Ranges
from millrace.workloads.base import ClusterModel, Workload

HELD_OUT_ONE_IN = 10  # one record in ten is kept apart for the gate
ROWS_PER_PARTITION = 100_000


@dataclass(frozen=True)
class RecordSet:
    """The deduplicated records of a window and how many rows were left out."""

    rows: DataFrame
    kept: int
    repeated: int
    superseded: int


def read_snapshot(spark: SparkSession, workload: Workload, snapshot_id: str) -> DataFrame:
    """The table as it was in that snapshot."""
    reader = spark.read.option("snapshot-id", snapshot_id)
    return reader.table(f"{CATALOG}.{table_name(workload.name)}")


def offsets_within(bounds: Ranges) -> Column:
    """Whether a row's offset lies in the bounds of its partition."""
    condition = F.lit(False)
    for partition, (first, last) in bounds.items():
        here = (F.col("kafka_partition") == int(partition)) & F.col("kafka_offset").between(first, last)
        condition = condition | here
    return condition


def plausible_or_null(moment: Column, arrival: Column) -> Column:
    """The moment, null where a record that arrived then can't be believed (see millrace.records.times)."""
    return F.when(is_plausible(F.unix_micros(moment), F.unix_micros(arrival)), moment)


def deduplicate(rows: DataFrame, workload: Workload, bounds: Ranges) -> RecordSet:
    """Each record id once (an ingest may have run twice), then the latest of each identity.

    The first copy of an id is the one that counts: a second run must not make an old value the latest. A time that is
    not plausible is null.
    """
    inside = rows.where(offsets_within(bounds))
    position = ["kafka_timestamp", "kafka_partition", "kafka_offset"]
    copies = Window.partitionBy("record_id").orderBy(*position)
    versions = Window.partitionBy(*workload.identity).orderBy(*(F.col(name).desc() for name in position))
    first = inside.withColumn("copy", F.row_number().over(copies)).where("copy = 1").drop("copy")
    latest = first.withColumn("rank", F.row_number().over(versions)).where("rank = 1").drop("rank")
    for name in list_time_fields(workload.record):
        latest = latest.withColumn(name, plausible_or_null(F.col(name), F.col("kafka_timestamp")))
    latest = latest.cache()
    total, distinct = inside.count(), first.count()
    kept = latest.count()
    return RecordSet(latest, kept, total - distinct, distinct - kept)


def is_held_out() -> Column:
    """One record in ten by a hash of its id: the same ones in every window, snapshot and version."""
    return F.pmod(F.xxhash64("record_id"), F.lit(HELD_OUT_ONE_IN)) == 0


def compute_features(records: RecordSet, model: ClusterModel) -> DataFrame:
    """`record_id`, `held_out` and the features `f0`, `f1`, ... of every record that has them all.

    The numbers come from millrace.scoring.features, the code that the API runs. The frame is sorted and cached: k-means
    is repeatable only over a fixed order, and MLlib over an Iceberg scan that is not cached fails.
    """
    specs = [{"field": feature.field, "transform": feature.transform} for feature in model.features]
    fields = [spec["field"] for spec in specs]
    names = [f"f{number}" for number in range(len(specs))]

    def compute(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = {field: batch.column(field).to_pylist() for field in fields}
            values = make_matrix(specs, columns)
            arrays = [batch.column("record_id"), batch.column("held_out")]
            arrays += [pa.array(values[:, number]) for number in range(len(specs))]
            yield pa.RecordBatch.from_arrays(arrays, ["record_id", "held_out", *names])

    schema = "record_id string, held_out boolean, " + ", ".join(f"{name} double" for name in names)
    chosen = records.rows.withColumn("held_out", is_held_out()).select("record_id", "held_out", *fields)
    usable = F.lit(True)
    for name in names:
        usable = usable & ~F.isnan(name)
    partitions = max(1, -(-records.kept // ROWS_PER_PARTITION))
    sorted_rows = chosen.repartition(partitions, "record_id").sortWithinPartitions("record_id")
    return sorted_rows.mapInArrow(compute, schema).where(usable).cache()
