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
from millrace.stream.pages_table import PagesTable, Ranges
from millrace.stream.score import MESSAGE_SCHEMA, make_messages
from millrace.workloads.base import Workload

CLOCK_MARGIN_MS = 60_000  # milliseconds by which the clocks of committer and brokers may differ


def find_present_keys(workload: Workload, ranges: Ranges, since: int) -> frozenset[bytes]:
    """The keys, among those of the ranges, that the topics hold; `since` is in milliseconds since 1970."""
    with open_reader() as reader:
        partitions = reader.partitions(*workload.cluster_topics)
        ends = reader.end_offsets(partitions)
        starts = reader.offsets_since(partitions, max(0, since - CLOCK_MARGIN_MS))
        keys = {message.key for message in reader.read(starts, ends) if message.key and _inside(message.key, ranges)}
    return frozenset(keys)


def _inside(key: bytes, ranges: Ranges) -> bool:
    partition, _, offset = key.partition(b":")
    if not (partition.isdigit() and offset.isdigit()) or int(partition) not in ranges:
        return False
    first, last = ranges[int(partition)]
    return first <= int(offset) <= last


def repair_last_batch(table: PagesTable, workload: Workload, labels: Callable[[str], list[str]]) -> int:
    """Write the pages of the last append that its topics lack, with the clusters of the table; how many there were.

    Batches follow each other: what came before the last append was in the topics when that one began.
    """
    ranges, since = table.last_batch()
    if not ranges or (since < time.time() * 1000 - DAY_MS and _was_published(workload, ranges)):
        return 0  # the topics keep a day: what was sent before would be missing too
    present = find_present_keys(workload, ranges, since)
    rows = table.within(ranges)
    versions = {row["version"]: row["count"] for row in rows.groupBy("version").count().collect()}
    missing = sum(versions.values()) - len(present)
    if missing:
        send_pages(rows, workload, {version: labels(version) for version in versions}, present)
    return missing


def _was_published(workload: Workload, ranges: Ranges) -> bool:
    """Whether a stream has told of these offsets, which it does after it has written them to the topics."""
    messages = [
        message.value
        for message in read_current(workload.deltas_topic)
        if message.key == STREAM.encode() and message.value
    ]
    read = orjson.loads(messages[-1])["offsets"] if messages else {}
    return all(read.get(str(partition), 0) > last for partition, (_, last) in ranges.items())


def send_pages(
    rows: DataFrame, workload: Workload, labels: dict[str, list[str]], present: frozenset[bytes] = frozenset()
) -> None:
    """Write rows of the table of pages to the topics of their clusters, but those whose keys are `present`."""
    spoken = partial(make_messages, workload=workload.name, labels=labels, held=present)
    source.write_messages(rows.mapInArrow(spoken, MESSAGE_SCHEMA))
