"""The stream as the training reads it: exact ranges of offsets, as events of a user and an item."""

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import orjson

from millrace.messaging.client import Message
from millrace.workloads.base import RecommenderModel

ANONYMOUS = "\x01"  # before a session's id, as in training.events; an id holds no control character
Cut = dict[int, tuple[int, int]]
"""Partition -> (first, end) offset; the end is not part of it."""


class Event(NamedTuple):
    """`at`: seconds since 1970 UTC, of the record or else of its arrival. Without a user: it could not be read."""

    partition: int
    offset: int
    timestamp: int
    user: str | None
    item: str
    at: float


class Log(Protocol):
    """One topic. Every method may raise Unavailable."""

    def begins(self) -> dict[int, int]:
        """The first offset that each partition still holds."""
        ...

    def ends(self) -> dict[int, int]:
        """The next offset of each partition."""
        ...

    def read(self, cut: Cut) -> list[Message]:
        """The messages of a cut by partition, then offset."""
        ...


def events(messages: Iterable[Message], model: RecommenderModel) -> list[Event]:
    """What each message says; the events of a session without a user belong to the session."""
    return [_event(message, model) for message in messages]


def _event(message: Message, model: RecommenderModel) -> Event:
    where = (message.partition, message.offset, message.timestamp)
    try:
        row: Any = orjson.loads(message.value or b"")
        user, item, time = row[model.user], row[model.item], row.get(model.time)
        if user is None and model.session:
            user = ANONYMOUS + row[model.session]
        at = datetime.fromisoformat(time).timestamp() if time else message.timestamp / 1000
        if isinstance(user, str) and isinstance(item, str):
            return Event(*where, user, item, at)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        pass  # foreign messages are counted, not fatal: the checker of the ingest lets none through
    return Event(*where, None, "", message.timestamp / 1000)


class KafkaLog:
    """The records topic over one consumer without a group: the checkpoint holds the positions, and nobody else."""

    def __init__(self, topic: str):
        self.topic = topic

    @cached_property
    def _client(self):
        from kafka import KafkaConsumer

        from millrace.messaging.client import common, unavailable

        with unavailable():
            return KafkaConsumer(**common(), enable_auto_commit=False, auto_offset_reset="none")

    def _partitions(self) -> list[Any]:
        from kafka import TopicPartition

        return [
            TopicPartition(self.topic, number) for number in sorted(self._client.partitions_for_topic(self.topic) or ())
        ]

    def begins(self) -> dict[int, int]:
        return self._asked("beginning_offsets")

    def ends(self) -> dict[int, int]:
        return self._asked("end_offsets")

    def _asked(self, method: str) -> dict[int, int]:
        from millrace.messaging.client import unavailable

        with unavailable():
            found = getattr(self._client, method)(self._partitions())
        return {one.partition: offset for one, offset in sorted(found.items())}

    def read(self, cut: Cut) -> list[Message]:
        from kafka import TopicPartition

        from millrace.messaging.client import unavailable

        found: dict[int, list[Message]] = {number: [] for number in sorted(cut)}
        with unavailable():
            open_partitions = {TopicPartition(self.topic, number): end for number, (_, end) in cut.items()}
            self._client.assign(list(open_partitions))
            for one in open_partitions:
                self._client.seek(one, cut[one.partition][0])
            while open_partitions:
                for one, batch in self._client.poll(timeout_ms=1000).items():
                    found[one.partition] += [
                        Message(one.partition, item.offset, item.timestamp, item.key, item.value, {})
                        for item in batch
                        if item.offset < cut[one.partition][1]
                    ]
                # Transaction markers leave gaps, so the position decides and not the last message.
                open_partitions = {one: end for one, end in open_partitions.items() if self._client.position(one) < end}
        return [message for number in found for message in found[number]]
