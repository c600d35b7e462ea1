"""The stream as the training reads it: exact ranges of offsets, as events of a user and an item."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import orjson

from millrace.messaging.reader import Message
from millrace.records.times import parse_moment, plausible_seconds
from millrace.workloads.base import ANONYMOUS, RecommenderModel

OffsetRanges = dict[int, tuple[int, int]]
"""Partition -> (first, end) offset; the end is not part of it."""


class StreamEvent(NamedTuple):
    """`at`: seconds since 1970 UTC, None where the record states no plausible time. Without a user: unreadable."""

    partition: int
    offset: int
    timestamp: int
    user: str | None
    item: str
    at: float | None


class EventLog(Protocol):
    """One topic. Every method may raise UnavailableError."""

    def begins(self) -> dict[int, int]:
        """The first offset that each partition still holds."""
        ...

    def ends(self) -> dict[int, int]:
        """The next offset of each partition."""
        ...

    def read(self, cut: OffsetRanges) -> list[Message]:
        """The messages of a cut by partition, then offset."""
        ...


def read_events(messages: Iterable[Message], model: RecommenderModel) -> list[StreamEvent]:
    """What each message says; the events of a session without a user belong to the session."""
    return [_read_event(message, model) for message in messages]


def _read_event(message: Message, model: RecommenderModel) -> StreamEvent:
    where = (message.partition, message.offset, message.timestamp)
    try:
        row: Any = orjson.loads(message.value or b"")
        user, item, time = row[model.user], row[model.item], row.get(model.time)
        if user is None and model.session:
            user = ANONYMOUS + row[model.session]
        moment = parse_moment(time)
        if isinstance(user, str) and isinstance(item, str) and (moment or not time):
            return StreamEvent(*where, user, item, plausible_seconds(moment, message.timestamp))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        pass  # foreign messages are counted, not fatal: the checker of the ingest lets none through
    return StreamEvent(*where, None, "", None)
