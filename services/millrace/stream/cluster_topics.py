"""The topics of the clusters: each page once, also after the end of a process between the lake and Kafka."""

import time
from collections.abc import Callable
from functools import partial

import orjson
from pyspark.sql import DataFrame

from millrace.messaging.fence import read_current
from millrace.messaging.reader import open_reader
from millrace.messaging.topics import DAY_MS
from millrace.pages.board import STREAM
from millrace.stream import source
from millrace.stream.pages_table import LastBatch, PagesTable
from millrace.stream.score import MESSAGE_SCHEMA, make_messages, parse_key
from millrace.workloads.base import Workload

CLOCK_MARGIN_MS = 60_000  # milliseconds by which the clocks of committer and brokers may differ


def find_present_keys(workload: Workload, batch: LastBatch) -> frozenset[bytes]:
    """The keys, among those of the batch, that the topics hold."""
    with open_reader() as reader:
        partitions = reader.partitions(*workload.cluster_topics)
        ends = reader.end_offsets(partitions)
        starts = reader.offsets_since(partitions, max(0, batch.committed_ms - CLOCK_MARGIN_MS))
        keys = {message.key for message in reader.read(starts, ends) if message.key and _inside(message.key, batch)}
    return frozenset(keys)


def _inside(key: bytes, batch: LastBatch) -> bool:
    position = parse_key(key)
    if position is None or position[0] not in batch.ranges or position[2] != batch.generation:
        return False
    first, last = batch.ranges[position[0]]
    return first <= position[1] <= last


def repair_last_batch(table: PagesTable, workload: Workload, labels: Callable[[str], list[str]]) -> int:
    """Write the pages of the last append that its topics lack, with the clusters of the table; how many there were.

    Batches follow each other: what came before the last append was in the topics when that one began.
    """
    batch = table.last_batch()
    if not batch.ranges or (batch.committed_ms < time.time() * 1000 - DAY_MS and _was_published(workload, batch)):
        return 0  # the topics keep a day: what was sent before would be missing too
    present = find_present_keys(workload, batch)
    rows = table.within(batch)
    versions = {row["version"]: row["count"] for row in rows.groupBy("version").count().collect()}
    missing = sum(versions.values()) - len(present)
    if missing:
        send_pages(rows, workload, {version: labels(version) for version in versions}, present)
    return missing


def _was_published(workload: Workload, batch: LastBatch) -> bool:
    """Whether a stream has told of these offsets, which it does after it has written them to the topics."""
    messages = [
        message.value
        for message in read_current(workload.deltas_topic)
        if message.key == STREAM.encode() and message.value
    ]
    body = orjson.loads(messages[-1]) if messages else {}
    generation, offsets = int(body.get("generation", 0)), body.get("offsets", {})
    if generation != batch.generation:
        return generation > batch.generation
    return all(offsets.get(str(partition), 0) > last for partition, (_, last) in batch.ranges.items())


def send_pages(
    rows: DataFrame, workload: Workload, labels: dict[str, list[str]], present: frozenset[bytes] = frozenset()
) -> None:
    """Write rows of the table of pages to the topics of their clusters, but those whose keys are `present`."""
    spoken = partial(make_messages, workload=workload.name, labels=labels, held=present)
    source.write_messages(rows.mapInArrow(spoken, MESSAGE_SCHEMA))
