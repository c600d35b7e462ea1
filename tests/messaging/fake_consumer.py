"""A consumer in memory in the place of kafka-python's, as strict as that one is about how it is called."""

from collections.abc import Iterable

import pytest
from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import IllegalStateError, OffsetOutOfRangeError

from millrace.messaging import client, reader

Headers = tuple[tuple[str, bytes], ...]
Messages = dict[TopicPartition, list[tuple[bytes | None, bytes | None] | tuple[bytes | None, bytes | None, Headers]]]
"""Key, value and headers, if there are some."""


def record(
    part: TopicPartition, offset: int, key: bytes | None, value: bytes | None, headers: Headers = ()
) -> ConsumerRecord:
    moment, pairs = 1_700_000_000_000, list(headers)
    return ConsumerRecord(part.topic, part.partition, 0, offset, moment, 0, key, value, pairs, None, 1, 1, -1)


class FakeConsumer:
    """One member of its group. A commit that fails is followed by a rebalance: it reads again from what was committed.

    A poll returns the messages of one partition, from `begin` on: what comes before is gone.
    """

    def __init__(self, messages: Messages, faults: Iterable[Exception] = (), begin: int = 0):
        self.messages, self.begin = messages, begin
        self.committed: dict[TopicPartition, int] = {}
        self.commits: list[dict[TopicPartition, int]] = []
        self.shares = [sorted(messages)]
        """The partitions after each rebalance; the last ones stay."""
        self.closed = False
        self.options: dict[str, object] = {}
        self._faults = list(faults)
        self._positions: dict[TopicPartition, int | None] = {}
        self._listener: ConsumerRebalanceListener | None = None
        self._rebalancing = False

    def __call__(self, **options: object) -> "FakeConsumer":
        self.options = options
        return self

    def topics(self) -> set[str]:
        return {part.topic for part in self.messages}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {part.partition for part in self.messages if part.topic == topic}

    def beginning_offsets(self, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
        assert isinstance(parts, list)
        return dict.fromkeys(parts, self.begin)

    def end_offsets(self, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
        assert isinstance(parts, list)
        return {part: len(self.messages[part]) for part in parts}

    def assign(self, parts: list[TopicPartition]) -> None:
        if self._listener is not None:
            raise IllegalStateError("You must choose only one way to configure your consumer")
        self._positions = {part: self._positions.get(part) for part in parts}

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    def seek(self, part: TopicPartition, offset: int) -> None:
        if not isinstance(offset, int) or offset < 0:
            raise ValueError("Offset must be int >= 0")
        if part not in self._positions:
            raise ValueError("Unassigned partition")
        self._positions[part] = offset

    def seek_to_beginning(self, *parts: TopicPartition) -> None:
        for part in parts:
            self.seek(part, self.begin)

    def position(self, part: TopicPartition) -> int | None:
        if part not in self._positions:
            raise IllegalStateError("Partition is not assigned")
        return self._positions[part]

    def highwater(self, part: TopicPartition) -> int | None:
        if part not in self._positions:
            raise IllegalStateError("Partition is not assigned")
        return len(self.messages[part])

    def subscribe(self, topics: list[str], listener: ConsumerRebalanceListener) -> None:
        if not isinstance(topics, list):
            raise TypeError("Topics must be a list")
        if not isinstance(listener, ConsumerRebalanceListener):
            raise TypeError("listener must be a ConsumerRebalanceListener")
        self._listener, self._rebalancing = listener, True

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        if timeout_ms < 0:
            raise ValueError("Timeout must not be negative")
        if not isinstance(max_records, int):
            raise TypeError("max_records must be an integer")
        if max_records <= 0:
            raise ValueError("max_records must be positive")
        if self.closed:
            raise IllegalStateError("KafkaConsumer is closed")
        if self._listener is not None and self._rebalancing:
            self._rebalance(self._listener)
        for part, position in self._positions.items():
            assert position is not None
            if position < self.begin or position > len(self.messages[part]):
                if self.options["auto_offset_reset"] == "none":
                    raise OffsetOutOfRangeError({part: position})
                position = self.begin
            items = self.messages[part][position : position + max_records]
            if items:
                self._positions[part] = position + len(items)
                return {part: [record(part, position + number, *item) for number, item in enumerate(items)]}
        return {}

    def _rebalance(self, listener: ConsumerRebalanceListener) -> None:
        listener.on_partitions_revoked(set(self._positions))
        share = self.shares.pop(0) if len(self.shares) > 1 else self.shares[0]
        self._positions = {part: self.committed.get(part, self.begin) for part in share}
        self._rebalancing = False
        listener.on_partitions_assigned(set(share))

    def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        if self.options.get("group_id") is None:
            raise IllegalStateError("Requires group_id")
        if not all(isinstance(part, TopicPartition) for part in offsets) or not all(
            isinstance(offset, OffsetAndMetadata) for offset in offsets.values()
        ):
            raise TypeError("offsets must be dict[TopicPartition, OffsetAndMetadata]")
        if self._faults:
            self._rebalancing = True
            raise self._faults.pop(0)
        self.commits.append({part: offset.offset for part, offset in offsets.items()})
        self.committed |= self.commits[-1]

    def close(self) -> None:
        self.closed = True


def install(monkeypatch: pytest.MonkeyPatch, consumer: FakeConsumer) -> FakeConsumer:
    """Let the package's readers get this consumer."""
    for module in (client, reader):
        monkeypatch.setattr(module, "KafkaConsumer", consumer)
        monkeypatch.setattr(module, "common_options", dict)
    return consumer
