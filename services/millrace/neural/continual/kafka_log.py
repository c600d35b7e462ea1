"""The records topic as the training reads it: no group and no commits, since the checkpoint holds the positions."""

import time
from collections import deque

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from millrace.messaging.client import Message, common, unavailable
from millrace.neural.continual.log import Cut
from millrace.settings import settings


class KafkaLog:
    """What was fetched beyond a cut waits for the next one; partitions that have enough are not fetched meanwhile."""

    def __init__(self, topic: str):
        self.topic = topic
        self._waiting: dict[TopicPartition, deque[Message]] = {}
        self._read_to: dict[TopicPartition, int] = {}
        self._fetched_to: dict[TopicPartition, int] = {}
        self._fetching: set[TopicPartition] = set()
        with unavailable():
            self._client = KafkaConsumer(**common(), enable_auto_commit=False, auto_offset_reset="none")

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(self.topic, one) for one in sorted(self._client.partitions_for_topic(self.topic) or ())]

    def begins(self) -> dict[int, int]:
        with unavailable():
            found = self._client.beginning_offsets(self._partitions())
        return {one.partition: offset for one, offset in found.items()}

    def ends(self) -> dict[int, int]:
        with unavailable():
            found = self._client.end_offsets(self._partitions())
        return {one.partition: offset for one, offset in found.items()}

    def read(self, cut: Cut) -> list[Message]:
        wanted = {TopicPartition(self.topic, number): cut[number] for number in sorted(cut)}
        for one, (first, _) in wanted.items():
            if self._read_to.get(one) != first:
                self._waiting[one], self._fetched_to[one] = deque(), first
                self._fetching.discard(one)
        with unavailable():
            heard = time.monotonic()
            # Transaction markers leave gaps, so the position decides and not the last message.
            while lacking := {one for one, (_, end) in wanted.items() if self._fetched_to[one] < end}:
                self._fetch_only(lacking)
                polled = self._client.poll(timeout_ms=1000)
                heard = time.monotonic() if polled else heard
                if time.monotonic() - heard > settings().kafka_timeout:
                    raise KafkaTimeoutError(f"{self.topic} partition {min(lacking).partition} gives no records")
                for one, batch in polled.items():
                    self._waiting[one].extend(
                        Message(one.partition, item.offset, item.timestamp, item.key, item.value, {}) for item in batch
                    )
                self._fetched_to |= {one: self._client.position(one) for one in lacking}
        found = []
        for one, (_, end) in wanted.items():
            waiting = self._waiting[one]
            while waiting and waiting[0].offset < end:
                found.append(waiting.popleft())
            self._read_to[one] = end
        return found

    def _fetch_only(self, parts: set[TopicPartition]) -> None:
        """By assignment, not by pausing: kafka-python 3.0.12 may never fetch a partition again that was resumed."""
        if parts != self._fetching:
            self._client.assign(sorted(parts))
            for one in parts:
                self._client.seek(one, self._fetched_to[one])
            self._fetching = parts
