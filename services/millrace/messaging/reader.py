"""Reading topics by offset: without a group and without commits, since whoever reads keeps the positions."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError, OffsetOutOfRangeError

from millrace.messaging.client import OffsetsLostError, common_options, open_consumer, translate_errors
from millrace.settings import settings

__all__ = [
    "Message",
    "TopicPartition",
    "TopicReader",
    "end_offsets",
    "last_message",
    "last_messages",
    "make_messages",
    "make_reader",
    "open_follower",
    "open_reader",
    "read_all",
]

POLL_TIMEOUT_MS = 1000
MAX_POLL_RECORDS = 2000


class Message(NamedTuple):
    """One message of a topic; `timestamp` in milliseconds since 1970 UTC."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def make_messages(polled: Mapping[TopicPartition, Iterable[Any]]) -> dict[TopicPartition, list[Message]]:
    """The records of a client of kafka-python as messages, by partition."""
    return {
        part: [Message(part.partition, i.offset, i.timestamp, i.key, i.value, dict(i.headers or ())) for i in batch]
        for part, batch in polled.items()
    }


class TopicReader:
    """Reads partitions that the caller names, each from an offset of the caller's.

    Transaction markers and compaction leave gaps in the offsets: how far a partition is read is its position, never the
    last message.
    """

    def __init__(self, client: KafkaConsumer):
        self._client = client
        self._heard = time.monotonic()

    def topics(self) -> set[str]:
        """The names of all topics there are, as the brokers say now."""
        return self._client.topics()

    def partitions(self, *topics: str) -> list[TopicPartition]:
        """The partitions of the topics, in order; none of a topic that does not exist."""
        numbers = {topic: sorted(self._client.partitions_for_topic(topic) or ()) for topic in topics}
        return [TopicPartition(topic, number) for topic in topics for number in numbers[topic]]

    def begin_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offset that each still holds."""
        return self._client.beginning_offsets(list(partitions))

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The next offset of each."""
        return self._client.end_offsets(list(partitions))

    def offsets_since(self, partitions: Iterable[TopicPartition], timestamp_ms: int) -> dict[TopicPartition, int]:
        """The first offset of that time or later; partitions that end before are left out."""
        places = self._client.offsets_for_times(dict.fromkeys(partitions, timestamp_ms))
        return {partition: place.offset for partition, place in places.items() if place is not None}

    @property
    def assignment(self) -> set[TopicPartition]:
        """The partitions that are read."""
        return self._client.assignment()

    def assign(self, starts: Mapping[TopicPartition, int | None]) -> None:
        """Read these partitions and no others, each from this offset on, or from its beginning where it is None."""
        self._client.assign(sorted(starts))
        for partition, offset in starts.items():
            if offset is None:
                self._client.seek_to_beginning(partition)
            else:
                self._client.seek(partition, offset)
        self.expect_messages()

    def position(self, partition: TopicPartition) -> int:
        """The offset of an assigned partition that is read next."""
        return self._client.position(partition)

    def high_watermark(self, partition: TopicPartition) -> int | None:
        """The next offset of an assigned partition, as its last fetch said; None before the first one."""
        return self._client.highwater(partition)

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Message]]:
        """What has come of the assigned partitions, once there is any, or nothing after `timeout_ms` milliseconds.

        Raises OffsetsLostError when an offset is gone and the reader is not to begin with what is left.
        """
        try:
            return make_messages(self._client.poll(timeout_ms=timeout_ms, max_records=max_records))
        except OffsetOutOfRangeError as error:
            raise OffsetsLostError(str(error)) from error

    def expect_messages(self) -> None:
        """From here on the brokers have `kafka_timeout` seconds for the next message; see `poll_expected`."""
        self._heard = time.monotonic()

    def poll_expected(self) -> dict[TopicPartition, list[Message]]:
        """What has come of partitions that hold more, after a second at most.

        Raises KafkaTimeoutError when nothing has come for `kafka_timeout` seconds, and as `poll`.
        """
        polled = self.poll(POLL_TIMEOUT_MS, MAX_POLL_RECORDS)
        if polled:
            self.expect_messages()
        elif time.monotonic() - self._heard > settings().kafka_timeout:
            topics = ", ".join(sorted({partition.topic for partition in self.assignment}))
            raise KafkaTimeoutError(f"{topics} gives no records")
        return polled

    def read(self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> Iterator[Message]:
        """Every message from `starts` up to `ends`. Raises as `poll_expected`."""
        unfinished = {partition for partition, start in starts.items() if start < ends[partition]}
        if unfinished:
            self.assign({partition: starts[partition] for partition in unfinished})
        while unfinished:
            for partition, batch in self.poll_expected().items():
                yield from (message for message in batch if message.offset < ends[partition])
            unfinished = {partition for partition in unfinished if self.position(partition) < ends[partition]}

    def close(self) -> None:
        """Leave the brokers."""
        self._client.close()


@contextmanager
def open_reader() -> Iterator[TopicReader]:
    """A reader that begins with what is left where an offset is gone; closed at the end. Raises UnavailableError."""
    with translate_errors(), open_consumer() as client:
        yield TopicReader(client)


@contextmanager
def open_follower(**options: int | str) -> Iterator[TopicReader]:
    """A reader for whoever follows topics as long as the process lives, with options of its own; closed at the end.

    It begins with what is left where an offset is gone, unless the options say otherwise. Raises CLIENT_ERRORS as they
    are: a follower tries again, and says in its own words what is unavailable meanwhile.
    """
    with open_consumer(**options) as client:
        yield TopicReader(client)


def make_reader(**options: int | str) -> TopicReader:
    """A reader with options of its own, which the caller closes. An offset that is gone is an error."""
    with translate_errors():
        defaults = {"enable_auto_commit": False, "auto_offset_reset": "none"}
        return TopicReader(KafkaConsumer(**common_options(), **defaults | options))


def end_offsets(topic: str) -> dict[int, int]:
    """The next offset of each partition; empty where the topic does not exist."""
    with open_reader() as reader:
        ends = reader.end_offsets(reader.partitions(topic))
    return {partition.partition: offset for partition, offset in ends.items()}


def last_message(topic: str) -> Message | None:
    """What was last written to a topic of one partition; None where nothing was."""
    return next(iter(last_messages(topic, 1)), None)


def last_messages(topic: str, count: int) -> list[Message]:
    """What is left of the last `count` offsets of a topic of one partition, oldest first."""
    with open_reader() as reader:
        ends = reader.end_offsets(reader.partitions(topic))
        starts = {partition: max(0, end - count) for partition, end in ends.items() if end}
        return list(reader.read(starts, ends))


def read_all(topic: str) -> Iterator[Message]:
    """Every message of a topic from its beginning to the end it has now. Raises UnavailableError when none come."""
    with open_reader() as reader:
        partitions = reader.partitions(topic)
        ends = reader.end_offsets(partitions)
        yield from reader.read(reader.begin_offsets(partitions), ends)
