"""No sink is trusted: every offset must be in the snapshot once before a training reads it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from millrace.errors import CorruptError
from millrace.lake.offset_ranges import OffsetRange, count_offsets

MAX_GAPS = 500_000
"""Gaps inside of a snapshot that a training compares, in memory; more are as if a whole producer could not be read."""
Ranges = dict[str, tuple[int, int]]
"""Partition -> (first, last) offset."""


@dataclass(frozen=True)
class OffsetAudit:
    """What the Kafka columns of a snapshot say."""

    ranges: Ranges
    repeated: int
    """Rows whose (partition, offset) is there already: the sink wrote them twice. Training reads each once."""
    gaps: list[OffsetRange]
    """Offsets that are missing, sorted."""


def audit_offsets(rows: DataFrame) -> OffsetAudit:
    """Count, per Kafka partition, what is there, what is there twice and what is missing.

    Raises CorruptError where there are more gaps than can be compared.
    """
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
    gaps = [OffsetRange(row.kafka_partition, 0, row.first - 1) for row in partitions if row.first > 0]
    if any(row.last - row.first + 1 != row.distinct for row in partitions):
        gaps += _find_inner_gaps(rows)
    return OffsetAudit(ranges, repeated, sorted(gaps))


def _find_inner_gaps(rows: DataFrame) -> list[OffsetRange]:
    window = Window.partitionBy("kafka_partition").orderBy("kafka_offset")
    following = rows.withColumn("next", F.lead("kafka_offset").over(window)).where("next - kafka_offset > 1")
    gaps = following.select("kafka_partition", "kafka_offset", "next").limit(MAX_GAPS + 1).toArrow()
    if len(gaps) > MAX_GAPS:
        raise CorruptError(
            f"The lake lacks offsets in more than {MAX_GAPS} places. `millrace rejected list` shows what Connect could "
            "not read; nothing was trained.",
            code="offset_gap",
        )
    columns = [gaps.column(name).to_pylist() for name in ("kafka_partition", "kafka_offset", "next")]
    return [OffsetRange(partition, before + 1, after - 1) for partition, before, after in zip(*columns, strict=True)]


def check_audit(
    audit: OffsetAudit, workload: str, seen_before: Ranges, unexplained: Sequence[tuple[int, int, int]]
) -> None:
    """Raises CorruptError when fewer offsets are there than once were, or some are missing that nothing explains.

    `unexplained` are those of the audit's gaps that are neither known nor accepted (see millrace.lake.gaps).
    """
    check_loss(audit, workload, seen_before)
    if unexplained:
        first, total = OffsetRange(*unexplained[0]), count_offsets(unexplained)
        raise CorruptError(
            f"The lake lacks offsets of {workload}.records: {total} in all, the first gap is {first}. "
            "Nothing was trained. docs/operations.md, `A gap`, says how to land them again from Kafka; where Kafka no "
            f"longer holds them, `millrace train {workload} --accept-gaps` goes on without them, once and for all.",
            code="offset_gap",
            field=f"{first.partition}/{first.first}",
        )


def check_loss(audit: OffsetAudit, workload: str, seen_before: Ranges) -> None:
    """Raises CorruptError when the snapshot ends before offsets that an earlier training has read."""
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
