"""The records topic as the training reads it: no group and no commits, since the checkpoint holds the positions."""

import time
from collections import deque

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from millrace.messaging.client import Message, common, unavailable
from millrace.neural.continual.log import Cut
from millrace.settings import settings


class KafkaLog:
    """What was fetched beyond a cut waits for the next one; partitions that have enough are paused meanwhile."""

    def __init__(self, topic: str):
        self.topic = topic
        self._waiting: dict[TopicPartition, deque[Message]] = {}
        self._read_to: dict[TopicPartition, int] = {}
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
        with unavailable():
            for one, (first, _) in wanted.items():
                self._ready(one, first)
            heard = time.monotonic()
            # Transaction markers leave gaps, so the position decides and not the last message.
            while lacking := [one for one, (_, end) in wanted.items() if self._client.position(one) < end]:
                self._client.pause(*set(self._waiting) - set(lacking))
                self._client.resume(*lacking)
                polled = self._client.poll(timeout_ms=1000)
                heard = time.monotonic() if polled else heard
                if time.monotonic() - heard > settings().kafka_timeout:
                    raise KafkaTimeoutError(f"{self.topic} partition {lacking[0].partition} gives no records")
                for one, batch in polled.items():
                    self._waiting[one].extend(
                        Message(one.partition, item.offset, item.timestamp, item.key, item.value, {}) for item in batch
                    )
        found = []
        for one, (_, end) in wanted.items():
            waiting = self._waiting[one]
            while waiting and waiting[0].offset < end:
                found.append(waiting.popleft())
            self._read_to[one] = end
        return found

    def _ready(self, one: TopicPartition, first: int) -> None:
        """What comes next of the partition is at `first` or behind it."""
        if one not in self._waiting:
            before = {other: self._client.position(other) for other in self._waiting}
            self._waiting[one] = deque()
            self._client.assign(list(self._waiting))
            for other, position in before.items():
                self._client.seek(other, position)
        if self._read_to.get(one) != first:
            self._waiting[one].clear()
            self._client.seek(one, first)
