"""Readers of the cluster topics: any number in a group share the partitions, each page once in effect."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError

from millrace.errors import BadInputError, NotFoundError
from millrace.messaging.client import open_consumer, translate_errors
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


class PartitionListener(ConsumerRebalanceListener):
    """Says how many partitions this reader has, when that changes."""

    def __init__(self) -> None:
        self.reported = -1

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """What was written is committed before each poll."""

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        if len(assigned) != self.reported:
            self.reported = len(assigned)
            log.info("reads %s partitions; any others are with other readers of the group", self.reported)


@contextmanager
def join_group(group: str, names: list[str], beginning: bool) -> Iterator[KafkaConsumer]:
    """A member of the group, which it leaves at the end. Raises NotFoundError when a topic is missing."""
    options = {"session_timeout_ms": 10_000, "heartbeat_interval_ms": 2_000}
    with open_consumer(group_id=group, auto_offset_reset="earliest" if beginning else "latest", **options) as client:
        if missing := sorted(set(names) - client.topics()):
            raise NotFoundError(f"Kafka has no topic {missing[0]}; `millrace topics create` makes it.", field="topic")
        client.subscribe(names, listener=PartitionListener())
        yield client


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
    once more. `beginning` says where a new group starts.
    """
    names, stop, seen, written = select_topics(workload, clusters), StopSignal(), RecentKeys(), 0
    with translate_errors(), stop.listen(), join_group(group, names, beginning) as client:
        while stop.signal is None and (limit is None or written < limit):
            most = MAX_POLL_RECORDS if limit is None else min(MAX_POLL_RECORDS, limit - written)
            lines: list[bytes] = []
            done: dict[TopicPartition, OffsetAndMetadata] = {}
            for part, messages in client.poll(timeout_ms=POLL_TIMEOUT_MS, max_records=most).items():
                lines += [message.value for message in messages if message.value and not seen.repeats(message.key)]
                done[part] = OffsetAndMetadata(messages[-1].offset + 1, "", -1)
            if lines:
                write(lines)
                written += len(lines)
            if done:
                try:
                    client.commit(done)
                except CommitFailedError:
                    log.warning(
                        "the group was rebalanced; whoever gets these partitions next reads the last lines again"
                    )
    return written
