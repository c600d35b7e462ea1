"""The records topic as the training reads it: no group and no commits, since the checkpoint holds the positions."""

from collections import deque

from millrace.messaging.client import translate_errors
from millrace.messaging.reader import Message, TopicPartition, make_reader
from millrace.neural.continual.event_log import OffsetRanges


class KafkaLog:
    """What was fetched beyond a cut waits for the next one; partitions that have enough are not fetched meanwhile."""

    def __init__(self, topic: str):
        self.topic = topic
        self._waiting: dict[TopicPartition, deque[Message]] = {}
        self._read_to: dict[TopicPartition, int] = {}
        self._fetched_to: dict[TopicPartition, int] = {}
        self._fetching: set[TopicPartition] = set()
        self._reader = make_reader()

    def begins(self) -> dict[int, int]:
        with translate_errors():
            offsets = self._reader.begin_offsets(self._reader.partitions(self.topic))
        return {partition.partition: offset for partition, offset in offsets.items()}

    def ends(self) -> dict[int, int]:
        with translate_errors():
            offsets = self._reader.end_offsets(self._reader.partitions(self.topic))
        return {partition.partition: offset for partition, offset in offsets.items()}

    def read(self, cut: OffsetRanges) -> list[Message]:
        wanted = {TopicPartition(self.topic, number): cut[number] for number in sorted(cut)}
        for partition, (first, _) in wanted.items():
            if self._read_to.get(partition) != first:
                self._waiting[partition], self._fetched_to[partition] = deque(), first
                self._fetching.discard(partition)
        with translate_errors():
            self._reader.expect_messages()
            # Transaction markers leave gaps, so the position decides and not the last message.
            while lacking := {partition for partition, (_, end) in wanted.items() if self._fetched_to[partition] < end}:
                self._fetch_only(lacking)
                for partition, batch in self._reader.poll_expected().items():
                    self._waiting[partition].extend(batch)
                self._fetched_to |= {partition: self._reader.position(partition) for partition in lacking}
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
            self._reader.assign({partition: self._fetched_to[partition] for partition in parts})
            self._fetching = parts
