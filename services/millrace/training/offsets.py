"""No sink is trusted: every offset must be in the snapshot once before a training reads it."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from millrace.errors import CorruptError

Ranges = dict[str, tuple[int, int]]
"""Partition -> (first, last) offset."""


@dataclass(frozen=True)
class OffsetAudit:
    """What the Kafka columns of a snapshot say."""

    ranges: Ranges
    repeated: int
    """Rows whose (partition, offset) is there already: the sink wrote them twice. Training reads each once."""
    gaps: list[tuple[int, int, int]]
    """(partition, first, last) of offsets that are missing."""


def audit_offsets(rows: DataFrame) -> OffsetAudit:
    """Count, per Kafka partition, what is there, what is there twice and what is missing."""
    partitions = (
        rows.groupBy("kafka_partition")
        .agg(
            F.count("*").alias("rows"),
            F.count_distinct("kafka_offset").alias("distinct"),
            F.min("kafka_offset").alias("first"),
            F.max("kafka_offset").alias("last"),
        )
        .orderBy("kafka_partition")
        .collect()
    )
    ranges = {str(row.kafka_partition): (row.first, row.last) for row in partitions}
    repeated = sum(row.rows - row.distinct for row in partitions)
    gaps = [(row.kafka_partition, 0, row.first - 1) for row in partitions if row.first > 0]
    if any(row.last - row.first + 1 != row.distinct for row in partitions):
        gaps += _find_inner_gaps(rows)
    return OffsetAudit(ranges, repeated, sorted(gaps))


def _find_inner_gaps(rows: DataFrame) -> list[tuple[int, int, int]]:
    window = Window.partitionBy("kafka_partition").orderBy("kafka_offset")
    following = rows.withColumn("next", F.lead("kafka_offset").over(window))
    gaps = following.where("next - kafka_offset > 1").limit(10_000).collect()
    return [(row.kafka_partition, row.kafka_offset + 1, row.next - 1) for row in gaps]


def check_audit(audit: OffsetAudit, workload: str, seen_before: Ranges, dead_letters: set[tuple[int, int]]) -> None:
    """Raises CorruptError when offsets are missing that Connect did not reject, or fewer are there than once were."""
    unexplained = [
        (partition, offset)
        for partition, first, last in audit.gaps
        for offset in range(first, min(last, first + 1000) + 1)
        if (partition, offset) not in dead_letters
    ]
    if unexplained:
        partition, offset = unexplained[0]
        raise CorruptError(
            f"The lake lacks offsets of {workload}.records, the first is partition {partition} offset {offset}: the "
            "sink lost rows. Nothing was trained. docs/operations.md, `A gap`, says how to land them again from Kafka.",
            code="offset_gap",
            field=f"{partition}/{offset}",
        )
    for partition, (_, last) in seen_before.items():
        now = audit.ranges.get(partition, (0, -1))[1]
        if now < last:
            raise CorruptError(
                f"An earlier training read {workload}.records up to partition {partition} offset {last}; the lake now "
                f"ends at {now}. Rows that were once there are gone; nothing was trained.",
                code="offset_loss",
                field=partition,
            )


def window_bounds(ranges: Ranges, window: str) -> Ranges:
    """The first third, first two thirds or all of each partition's offsets.

    Keys are spread over the partitions by hash, so a share of each is that share of the stream, and the bounds are
    offsets, which a manifest can name exactly.
    """
    share = {"1/3": (1, 3), "2/3": (2, 3), "all": (1, 1)}[window]
    bounds = {}
    for partition, (first, last) in ranges.items():
        rows = (last - first + 1) * share[0] // share[1]
        if rows:
            bounds[partition] = (first, first + rows - 1)
    return bounds
