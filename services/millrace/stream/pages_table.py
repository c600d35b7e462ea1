"""The lake's table of pages: what it holds already, and one commit a batch.

The table is the checkpoint of the stream. Every append is one commit, whose snapshot carries its offsets. So, also
after any end of the process the rows themselves say what is done: reading goes on behind the highest offset of each
partition, and only the pages of the last append may be missing from the topics of the clusters.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table
from pyiceberg.types import IntegerType
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from millrace.errors import ConflictError, NotFoundError
from millrace.lake import CATALOG, pages_table_name
from millrace.lake.catalog import load_catalog
from millrace.lake.expiry import RETAINED_SNAPSHOTS, find_cutoff
from millrace.messaging.generations import parse_generations
from millrace.settings import settings
from millrace.stream.score import HASHES_SCHEMA, PAGE, hash_rows
from millrace.workloads.base import Workload

BATCH_PROPERTY = "millrace.batch"
"""The property of a snapshot: {"<partition>": [first, last]} of the offsets that its append added."""
WRITER_PROPERTY = "millrace.writer"
"""The property of a snapshot: which stream made it, a random name for each start."""
GENERATION_PROPERTY = "millrace.generation"
"""The property of a snapshot: the generation of the topic that its offsets are of; none means 0."""
TOPICS_PROPERTY = "millrace.records-topic"
"""The property of the table: the generations of its topic, as JSON."""
GENERATION = "kafka_generation"
"""The column that the table gets when its topic is recreated; its rows of before are of generation 0."""
EXPIRE_EVERY_APPENDS = 100
"""Appends between two times that old snapshots are dropped: a second each, too many for the lake's upkeep alone."""
Ranges = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class TableState:
    """What the table holds."""

    marks: dict[int, dict[int, int]]
    """Generation of the topic -> partition -> its highest offset."""
    sizes: dict[int, int]
    """Cluster -> pages."""
    newest: int
    """The latest arrival in milliseconds since 1970, 0 where the table is empty."""


@dataclass(frozen=True)
class LastBatch:
    """What the last append added; no ranges where there was none."""

    ranges: Ranges
    committed_ms: int = 0
    """Milliseconds since 1970."""
    generation: int = 0


class PagesTable:
    """The table of a workload's pages. Raises NotFoundError where nothing has made it."""

    def __init__(self, spark: SparkSession, workload: Workload):
        self.spark = spark
        self.name = pages_table_name(workload.name)
        self.full_name = f"{CATALOG}.{self.name}"
        self._writer = secrets.token_hex(8)
        table = self._load()
        self._last = table.metadata.current_snapshot_id
        self._has_generations = GENERATION in table.schema().column_names
        self._generations = parse_generations(table.properties.get(TOPICS_PROPERTY))
        self._appends = 0

    def _load(self) -> Table:
        try:
            return load_catalog().load_table(self.name)
        except NoSuchTableError:
            raise NotFoundError(
                f"The lake has no table {self.name}; `millrace provision` makes it.", field="table"
            ) from None

    @property
    def generation(self) -> int:
        """The generation of the topic whose pages are appended."""
        return self._generations.current

    def enter_topic(self, topic_id: str | None, is_shorter: Callable[[], bool]) -> bool:
        """Append pages of the topic of that id from here on; whether it is another one than before.

        `is_shorter` is asked where no id was noted yet: whether the topic ends before what the table holds of it.
        """
        before = self._generations
        generations = before.enter(topic_id, not before.topic_ids and is_shorter())
        if generations == before:
            return False
        needs_column = generations.current > 0 and not self._has_generations
        with self._load().transaction() as transaction:
            transaction.set_properties({TOPICS_PROPERTY: generations.as_json()})
            if needs_column:
                with transaction.update_schema() as update:
                    update.add_column(GENERATION, IntegerType())
        self._generations, self._has_generations = generations, self._has_generations or needs_column
        return generations.current != before.current

    def rows(self) -> DataFrame:
        """The rows as PAGE."""
        table = self.spark.table(self.full_name)
        generation = F.coalesce(GENERATION, F.lit(0)) if self._has_generations else F.lit(0)
        return table.withColumn(GENERATION, generation.cast("int")).select(*PAGE)

    def read_state(self) -> TableState:
        groups = (
            self.rows()
            .groupBy(GENERATION, "kafka_partition", "cluster")
            .agg(F.max("kafka_offset").alias("last"), F.count("*").alias("rows"), F.max("kafka_timestamp").alias("at"))
            .collect()
        )
        marks: dict[int, dict[int, int]] = {}
        sizes: dict[int, int] = {}
        for row in groups:
            own = marks.setdefault(row.kafka_generation, {})
            own[row.kafka_partition] = max(own.get(row.kafka_partition, -1), row.last)
            sizes[row.cluster] = sizes.get(row.cluster, 0) + row.rows
        newest = max((int(row["at"].timestamp() * 1000) for row in groups), default=0)
        return TableState(marks, sizes, newest)

    def record_hashes(self) -> Iterator[np.ndarray]:
        """The hashes of all record ids, as uint64 arrays of a bounded length, whatever the table holds."""
        hashed = self.spark.table(self.full_name).select("record_id").mapInArrow(hash_rows, HASHES_SCHEMA)
        for row in hashed.toLocalIterator(prefetchPartitions=True):
            yield np.frombuffer(bytes(row.hashes), np.uint64)

    def last_batch(self) -> LastBatch:
        """What the last append added, by its snapshot."""
        table = self._load()
        snapshot = table.current_snapshot()
        # A compaction's snapshots stand between, and carry no such property.
        while snapshot is not None:
            properties = snapshot.summary.additional_properties if snapshot.summary else {}
            if offsets := properties.get(BATCH_PROPERTY):
                ranges = {int(partition): (first, last) for partition, (first, last) in orjson.loads(offsets).items()}
                return LastBatch(ranges, snapshot.timestamp_ms, int(properties.get(GENERATION_PROPERTY, 0)))
            before = snapshot.parent_snapshot_id
            snapshot = table.snapshot_by_id(before) if before is not None else None
        return LastBatch({})

    def within(self, batch: LastBatch) -> DataFrame:
        """The rows whose offsets lie in the ranges of a batch."""
        return self.rows().where((F.col(GENERATION) == batch.generation) & _inside(batch.ranges))

    def windows(self, seconds: int, since: int) -> dict[int, dict[int, int]]:
        """Pages by window of arrival (its start in seconds since 1970) and cluster, of the rows since then."""
        start = (F.floor(F.unix_seconds("kafka_timestamp") / F.lit(seconds)) * seconds).alias("start")
        windows: dict[int, dict[int, int]] = {}
        for row in self._since(since).groupBy(start, "cluster").count().collect():
            windows.setdefault(int(row["start"]), {})[row["cluster"]] = row["count"]
        return windows

    def latest(self, since: int, most: int) -> pa.Table:
        """The newest `most` rows since then, the newest last."""
        rows = self._since(since).orderBy(F.desc("kafka_timestamp"), F.desc("kafka_offset")).limit(most)
        return rows.toArrow().sort_by("kafka_timestamp")

    def _since(self, seconds: int) -> DataFrame:
        return self.rows().where(F.col("kafka_timestamp") >= F.timestamp_seconds(F.lit(seconds)))

    def append(self, rows: DataFrame, ranges: Ranges) -> None:
        """Add the pages of a batch in one commit.

        Raises ConflictError when another stream has added pages meanwhile.
        """
        self._check_single_writer()
        offsets = orjson.dumps({str(partition): ends for partition, ends in ranges.items()}).decode()
        columns = rows if self._has_generations else rows.drop(GENERATION)
        writer = columns.writeTo(self.full_name).option(f"snapshot-property.{BATCH_PROPERTY}", offsets)
        writer.option(f"snapshot-property.{GENERATION_PROPERTY}", str(self.generation))
        writer.option(f"snapshot-property.{WRITER_PROPERTY}", self._writer).append()
        self._check_single_writer()

        self._appends += 1
        if self._appends % EXPIRE_EVERY_APPENDS == 0:
            self.expire_snapshots(settings().snapshot_history)

    def expire_snapshots(self, seconds: float) -> None:
        """Drop snapshots older than that, or more than `expiry.MAX_SNAPSHOTS`, with what only they hold.

        The metadata, written anew by every commit, names all snapshots: after a day of a commit a second they would be
        most of what is written.
        """
        jvm: Any = self.spark._jvm  # pyright: ignore[reportPrivateUsage] - Iceberg has no API in Python for it
        times = [snapshot.timestamp_ms for snapshot in self._load().metadata.snapshots]
        before = find_cutoff(times, int(time.time() * 1000), seconds)
        session = self.spark._jsparkSession  # pyright: ignore[reportPrivateUsage]
        table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(session, self.full_name)
        table.expireSnapshots().expireOlderThan(before).retainLast(RETAINED_SNAPSHOTS).commit()

    def _check_single_writer(self) -> None:
        """Two streams at once would hold every page twice. Compactions are welcome.

        The lease of `millrace.stream.app` keeps a second one away; this is for a table that is written without it.
        """
        table = self._load()
        newest = snapshot = table.current_snapshot()
        while snapshot is not None and snapshot.snapshot_id != self._last:
            properties = snapshot.summary.additional_properties if snapshot.summary else {}
            if BATCH_PROPERTY in properties and properties.get(WRITER_PROPERTY) != self._writer:
                raise ConflictError(
                    f"Another stream appends to {self.name} (snapshot {snapshot.snapshot_id}); only one is allowed. "
                    "`millrace status` shows the one of this machine; stop the other.",
                    code="second_stream",
                )
            before = snapshot.parent_snapshot_id
            snapshot = table.snapshot_by_id(before) if before is not None else None
        self._last = newest.snapshot_id if newest else None


def _inside(ranges: Ranges) -> Column:
    condition = F.lit(False)
    for partition, (first, last) in ranges.items():
        condition = condition | ((F.col("kafka_partition") == partition) & F.col("kafka_offset").between(first, last))
    return condition
