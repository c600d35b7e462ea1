"""A member of a consumer group: its partitions come and go, and Kafka keeps how far each of them was read."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, RebalanceInProgressError

from millrace.errors import NotFoundError
from millrace.messaging.client import open_consumer, translate_errors
from millrace.messaging.reader import Message, make_messages

SESSION_TIMEOUT_MS = 10_000  # milliseconds without a heartbeat after which the others take over a member's partitions
HEARTBEAT_INTERVAL_MS = 2_000


class GroupRebalancedError(Exception):
    """Offsets were not committed: the group shares out its partitions anew, and whoever gets them reads again."""


class PartitionListener(ConsumerRebalanceListener):
    """Reports how many partitions this member has, when that changes."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report = report
        self._reported = -1

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """What was read is committed before each poll."""

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        if len(assigned) != self._reported:
            self._reported = len(assigned)
            self._report(self._reported)


class GroupReader:
    """Reads the partitions that the group leaves to it, each from the offset that was committed last."""

    def __init__(self, client: KafkaConsumer):
        self._client = client

    def subscribe(self, topics: Sequence[str], report: Callable[[int], None]) -> None:
        """Ask for partitions of these topics; `report` is told how many there are whenever that changes.

        Raises NotFoundError when a topic is missing.
        """
        if missing := sorted(set(topics) - self._client.topics()):
            raise NotFoundError(f"Kafka has no topic {missing[0]}; `millrace topics create` makes it.", field="topic")
        self._client.subscribe(list(topics), listener=PartitionListener(report))

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Message]]:
        """What has come, once there is any, or nothing after `timeout_ms` milliseconds. Takes part in rebalances."""
        return make_messages(self._client.poll(timeout_ms=timeout_ms, max_records=max_records))

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Let the group go on from these offsets, each the next to be read.

        Raises GroupRebalancedError when the partitions may be another member's by now: kafka-python says
        CommitFailedError where the broker has refused, and RebalanceInProgressError where it knows without asking.
        """
        try:
            self._client.commit({part: OffsetAndMetadata(offset, "", -1) for part, offset in offsets.items()})
        except (CommitFailedError, RebalanceInProgressError) as error:
            raise GroupRebalancedError(str(error)) from error


@contextmanager
def join_group(group: str, *, beginning: bool) -> Iterator[GroupReader]:
    """A member of the group, which it leaves at the end; `beginning` says where a new group starts.

    Raises UnavailableError.
    """
    with (
        translate_errors(),
        open_consumer(
            group_id=group,
            auto_offset_reset="earliest" if beginning else "latest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
        ) as client,
    ):
        yield GroupReader(client)
