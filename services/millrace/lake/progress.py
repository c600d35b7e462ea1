"""How far the lake is behind Kafka, and waiting until it is not."""

import time
from collections.abc import Callable

from millrace.errors import UnavailableError
from millrace.lake import sink, tables
from millrace.messaging.reader import end_offsets, read_all
from millrace.messaging.topics import DEAD_LETTERS
from millrace.workloads.base import Workload


def dead_letter_positions(workload: Workload) -> set[tuple[int, int]]:
    """(partition, offset) of the workload's messages that Connect could not read at all."""
    topic = workload.records_topic.encode()
    headers = [message.headers for message in read_all(DEAD_LETTERS)]
    return {
        (int(header["__connect.errors.partition"]), int(header["__connect.errors.offset"]))
        for header in headers
        if header.get("__connect.errors.topic") == topic
    }


def count_dead_letters(workload: Workload) -> int:
    """How many messages of the workload Connect could not read."""
    return len(dead_letter_positions(workload))


def count_published(workload: Workload) -> int:
    """Messages ever published to the records topic: offsets start at 0 and have no gaps."""
    return sum(end_offsets(workload.records_topic).values())


def wait_until_landed(
    workload: Workload, timeout: float = 180, progress: Callable[[int, int], None] = lambda landed, all_: None
) -> int:
    """Wait until the lake holds every published record; returns its rows.

    Raises UnavailableError with the sink's state and cause when `timeout` seconds pass without one more row.
    """
    target = count_published(workload)
    best, since = -1, time.monotonic()
    while True:
        landed = tables.count_rows(workload.name)
        progress(landed, target)
        if landed >= target:
            return landed
        if landed > best:
            best, since = landed, time.monotonic()
        elif landed + count_dead_letters(workload) >= target:
            return landed
        if time.monotonic() - since > timeout:
            status = sink.sink_status(workload.name)
            raise UnavailableError(
                f"The lake holds {landed} of {target} records of {workload.name} and got none for {timeout:g} s. "
                f"{status['connector']} is {status['state']}, its tasks: {status['tasks'] or 'none'}.",
                code="lake_behind",
            )
        time.sleep(0.5)
