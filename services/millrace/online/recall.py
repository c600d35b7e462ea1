"""What Kafka has deleted of the records after a snapshot, read from the lake."""

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from millrace.messaging.reader import TopicPartition
from millrace.workloads.base import Workload

if TYPE_CHECKING:
    from millrace.lake.archive import ArchiveBatch

log = logging.getLogger("millrace.online")
OffsetRanges = dict[int, tuple[int, int]]
"""Partition -> (first, end) offset; the end is not part of it."""


class RecordsLostError(Exception):
    """Records after the snapshot are neither in Kafka nor in the lake."""


def find_deleted(
    workload: Workload,
    following: Mapping[int, int],
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> OffsetRanges:
    """What lies between the offset to read next of each partition and the first one that Kafka still holds.

    Raises RecordsLostError where the topic ends before what was read of it.
    """
    deleted = {}
    for part, begin in begins.items():
        wanted = following[part.partition]
        if wanted > ends[part]:
            raise RecordsLostError(
                f"{part.topic} holds offsets {begin} to {ends[part]} of partition {part.partition}, and the snapshot "
                f"ends before {wanted}: the topic is not the one that was read. Train again: "
                f"`millrace train {workload.name}`."
            )
        if wanted < begin:
            deleted[part.partition] = (wanted, begin)
    return deleted


def recall_records(workload: Workload, deleted: OffsetRanges) -> Iterator["ArchiveBatch"]:
    """Batches of these offsets of the records topic, by partition, then offset.

    Raises RecordsLostError where the lake lacks some of them too, UnavailableError where it can't be read now.
    """
    from millrace.lake.archive import ArchiveGapError, RecordArchive  # 2 s and 100 MB that most updaters never need

    for partition, (first, end) in sorted(deleted.items()):
        log.info(
            "%s: Kafka has deleted offsets %s to %s of partition %s; they are read from the lake",
            workload.name,
            first,
            end - 1,
            partition,
        )
    try:
        yield from RecordArchive(workload).read(deleted)
    except ArchiveGapError as error:
        raise RecordsLostError(
            f"Kafka no longer holds all of {workload.records_topic} that follows the snapshot, and {error}. Train "
            f"again: `millrace train {workload.name}`."
        ) from None
