"""Where the stream begins to read, and the options of Spark's Kafka source and sink."""

import logging

import orjson
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from millrace.errors import CorruptError, NotFoundError
from millrace.messaging import security
from millrace.messaging.generations import fetch_topic_id
from millrace.messaging.reader import open_reader
from millrace.messaging.topics import MAX_MESSAGE_BYTES
from millrace.settings import require_address, settings
from millrace.stream.pages_table import PagesTable, TableState
from millrace.workloads.base import Workload

log = logging.getLogger(__name__)


def spark_kafka_options() -> dict[str, str]:
    """What source and sink need to find the brokers and to be let in."""
    options = {"kafka.bootstrap.servers": require_address("kafka_bootstrap")}
    return options | {f"kafka.{name}": value for name, value in security.java_options().items()}


def topic_offsets(topic: str) -> dict[int, tuple[int, int]]:
    """Partition -> (oldest offset that is kept, next one to be written). Raises NotFoundError without the topic."""
    with open_reader() as reader:
        partitions = reader.partitions(topic)
        if not partitions:
            raise NotFoundError(f"Kafka has no topic {topic}; `millrace topics create` makes it.", field="topic")
        begins, ends = reader.begin_offsets(partitions), reader.end_offsets(partitions)
    return {partition.partition: (begins[partition], ends[partition]) for partition in partitions}


def starting_offsets(topic: str, marks: dict[int, int]) -> dict[int, int]:
    """The first offset to read of each partition: the one behind its mark, or the oldest there is.

    Where Kafka has dropped records that were never scored, that is said and the rest is read: the lake's table of
    records still holds them. Raises CorruptError where the topic ends before the mark: it is not the one that was read.
    """
    offsets_by_partition = {}
    for partition, (begin, end) in topic_offsets(topic).items():
        wanted = marks.get(partition, -1) + 1
        if wanted > end:
            raise CorruptError(
                f"The table of pages holds {topic} partition {partition} up to offset {wanted - 1}, and the topic ends "
                f"at {end}: the topic has lost records, or was recreated. Move the table aside or restore the topic.",
                code="offset_loss",
                field=f"{partition}/{wanted - 1}",
            )
        if wanted < begin:
            log.warning(
                "Kafka no longer holds %s partition %s offsets %s to %s: these %s pages are left out of the stream, "
                "which goes on at %s. The lake has them, and the next training reads them; "
                "MILLRACE_KAFKA_RETENTION_DAYS says how long Kafka keeps records.",
                topic,
                partition,
                wanted,
                begin - 1,
                begin - wanted,
                begin,
            )
        offsets_by_partition[partition] = max(wanted, begin)
    return offsets_by_partition


def find_start(table: PagesTable, topic: str, held: TableState) -> tuple[dict[int, int], dict[int, int]]:
    """What the table holds of the topic as it is now, partition -> highest offset, and where to begin to read.

    A topic that was recreated under the same name is another one, and read from its beginning. Raises as
    `starting_offsets`.
    """
    marks = held.marks.get(table.generation, {})
    if table.enter_topic(fetch_topic_id(topic), lambda: is_shorter(topic, marks)):
        log.warning(
            "%s was recreated: it is read from its beginning, and its pages are of generation %s",
            topic,
            table.generation,
        )
        marks = held.marks.get(table.generation, {})
    return dict(marks), starting_offsets(topic, marks)


def is_shorter(topic: str, marks: dict[int, int]) -> bool:
    """Whether the topic ends before what was read of it. Raises NotFoundError without the topic."""
    offsets = topic_offsets(topic)
    return any(mark >= offsets.get(partition, (0, 0))[1] for partition, mark in marks.items())


def read_records(spark: SparkSession, workload: Workload, first: dict[int, int]) -> DataFrame:
    """The records from these offsets on, as `partition, offset, timestamp, value`."""
    starting = {workload.records_topic: {str(partition): offset for partition, offset in first.items()}}
    source = (
        spark.readStream.format("kafka")
        .options(**spark_kafka_options())
        .option("subscribe", workload.records_topic)
        .option("startingOffsets", orjson.dumps(starting).decode())
        .option("maxOffsetsPerTrigger", settings().stream_rows)
        # A loss ends the query with an error; the next start says what is gone and goes on behind it.
        .option("failOnDataLoss", "true")
    )
    return source.load().select("partition", "offset", "timestamp", "value")


def write_messages(messages: DataFrame) -> None:
    """Send `topic, key, value` by Spark's sink, acknowledged by all replicas."""
    (
        messages.write.format("kafka")
        .options(**spark_kafka_options())
        .option("kafka.acks", "all")
        .option("kafka.linger.ms", "20")
        .option("kafka.max.request.size", str(MAX_MESSAGE_BYTES))
        .save()
    )


def count_lag(query: StreamingQuery | None, topic: str, read: dict[int, int]) -> int:
    """Records behind the last offset `read` of each partition, as the source saw the topic at its last look."""
    progress = query.lastProgress if query else None
    sources = orjson.loads(progress.json)["sources"] if progress else []
    ends = (sources[0]["latestOffset"] if sources else None) or {}
    return sum(max(0, end - 1 - read.get(int(number), -1)) for number, end in ends.get(topic, {}).items())
