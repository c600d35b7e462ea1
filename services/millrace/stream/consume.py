"""Readers of the cluster topics: any number in a group share the partitions, each page once in effect."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

from millrace.errors import BadInputError
from millrace.messaging.group_reader import GroupRebalancedError, join_group
from millrace.runtime.signals import StopSignal
from millrace.workloads.base import Workload

log = logging.getLogger(__name__)

MAX_POLL_RECORDS = 500  # messages that are written before their offsets are committed
REMEMBERED_KEYS = 100_000  # keys of late, by which a repeat is known
POLL_TIMEOUT_MS = 200  # milliseconds of a poll


def select_topics(workload: Workload, clusters: Sequence[int]) -> list[str]:
    """The topics of some clusters, all by default. Raises BadInputError for a cluster that has none."""
    known = workload.cluster_topics
    if not known:
        raise BadInputError(f"{workload.name} has no clusters in a stream.", field="workload")
    if wrong := [number for number in clusters if not 0 <= number < len(known)]:
        allowed = f"0 to {len(known) - 1}"
        raise BadInputError(
            f"--cluster {wrong[0]} does not exist; allowed: {allowed}.", field="cluster", allowed=allowed
        )
    return [known[number] for number in sorted(set(clusters))] or list(known)


class RecentKeys:
    """The keys of the last messages: after a restart of the stream or of a reader, some come again."""

    def __init__(self) -> None:
        self._keys: OrderedDict[bytes, None] = OrderedDict()

    def repeats(self, key: bytes | None) -> bool:
        if key is None:
            return False
        if key in self._keys:
            return True
        self._keys[key] = None
        if len(self._keys) > REMEMBERED_KEYS:
            self._keys.popitem(last=False)
        return False


def log_partitions(count: int) -> None:
    """Say how many partitions this reader has."""
    log.info("reads %s partitions; any others are with other readers of the group", count)


def consume_pages(
    workload: Workload,
    clusters: Sequence[int],
    group: str,
    write: Callable[[list[bytes]], None],
    *,
    limit: int | None = None,
    beginning: bool = True,
) -> int:
    """Hand the messages of the clusters to `write` until a signal, or `limit` of them; how many there were.

    Offsets are committed when `write` has returned: a reader that is killed before leaves its last ones to the group
    once more. `beginning` says where a new group starts. Raises NotFoundError when a topic is missing.
    """
    names, stop, seen, written = select_topics(workload, clusters), StopSignal(), RecentKeys(), 0
    with stop.listen(), join_group(group, beginning=beginning) as reader:
        reader.subscribe(names, log_partitions)
        while stop.signal is None and (limit is None or written < limit):
            most = MAX_POLL_RECORDS if limit is None else min(MAX_POLL_RECORDS, limit - written)
            lines: list[bytes] = []
            polled = reader.poll(POLL_TIMEOUT_MS, most)
            for messages in polled.values():
                lines += [message.value for message in messages if message.value and not seen.repeats(message.key)]
            if lines:
                write(lines)
                written += len(lines)
            if polled:
                try:
                    reader.commit({part: messages[-1].offset + 1 for part, messages in polled.items()})
                except GroupRebalancedError:
                    log.warning(
                        "the group was rebalanced; whoever gets these partitions next reads the last lines again"
                    )
    return written
