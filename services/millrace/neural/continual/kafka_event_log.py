"""The records topic as the training reads it: no group and no commits, since the checkpoint holds the positions."""

import time
from collections import deque

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from millrace.messaging.client import Message, common_options, translate_errors
from millrace.neural.continual.event_log import OffsetRanges
from millrace.settings import settings


class KafkaLog:
    """What was fetched beyond a cut waits for the next one; partitions that have enough are not fetched meanwhile."""

    def __init__(self, topic: str):
        self.topic = topic
        self._waiting: dict[TopicPartition, deque[Message]] = {}
        self._read_to: dict[TopicPartition, int] = {}
        self._fetched_to: dict[TopicPartition, int] = {}
        self._fetching: set[TopicPartition] = set()
        with translate_errors():
            self._client = KafkaConsumer(**common_options(), enable_auto_commit=False, auto_offset_reset="none")

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(self.topic, one) for one in sorted(self._client.partitions_for_topic(self.topic) or ())]

    def begins(self) -> dict[int, int]:
        with translate_errors():
            offsets = self._client.beginning_offsets(self._partitions())
        return {partition.partition: offset for partition, offset in offsets.items()}

    def ends(self) -> dict[int, int]:
        with translate_errors():
            offsets = self._client.end_offsets(self._partitions())
        return {partition.partition: offset for partition, offset in offsets.items()}

    def read(self, cut: OffsetRanges) -> list[Message]:
        wanted = {TopicPartition(self.topic, number): cut[number] for number in sorted(cut)}
        for partition, (first, _) in wanted.items():
            if self._read_to.get(partition) != first:
                self._waiting[partition], self._fetched_to[partition] = deque(), first
                self._fetching.discard(partition)
        with translate_errors():
            heard = time.monotonic()
            # Transaction markers leave gaps, so the position decides and not the last message.
            while lacking := {partition for partition, (_, end) in wanted.items() if self._fetched_to[partition] < end}:
                self._fetch_only(lacking)
                polled = self._client.poll(timeout_ms=1000)
                heard = time.monotonic() if polled else heard
                if time.monotonic() - heard > settings().kafka_timeout:
                    raise KafkaTimeoutError(f"{self.topic} partition {min(lacking).partition} gives no records")
                for partition, batch in polled.items():
                    self._waiting[partition].extend(
                        Message(partition.partition, item.offset, item.timestamp, item.key, item.value, {})
                        for item in batch
                    )
                self._fetched_to |= {partition: self._client.position(partition) for partition in lacking}
        messages = []
        for partition, (_, end) in wanted.items():
            waiting = self._waiting[partition]
            while waiting and waiting[0].offset < end:
                messages.append(waiting.popleft())
            self._read_to[partition] = end
        return messages

    def _fetch_only(self, parts: set[TopicPartition]) -> None:
        """By assignment, not by pausing: kafka-python 3.0.12 may never fetch a partition again that was resumed."""
        if parts != self._fetching:
            self._client.assign(sorted(parts))
            for partition in parts:
                self._client.seek(partition, self._fetched_to[partition])
            self._fetching = parts
