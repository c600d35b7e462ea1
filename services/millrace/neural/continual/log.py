"""The stream as the training reads it: exact ranges of offsets, as events of a user and an item."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import orjson

from millrace.messaging.client import Message
from millrace.records.times import plausible_seconds, read_moment
from millrace.workloads.base import ANONYMOUS, RecommenderModel

Cut = dict[int, tuple[int, int]]
"""Partition -> (first, end) offset; the end is not part of it."""


class Event(NamedTuple):
    """`at`: seconds since 1970 UTC, None where the record states no plausible time. Without a user: unreadable."""

    partition: int
    offset: int
    timestamp: int
    user: str | None
    item: str
    at: float | None


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
        moment = read_moment(time)
        if isinstance(user, str) and isinstance(item, str) and (moment or not time):
            return Event(*where, user, item, plausible_seconds(moment, message.timestamp))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        pass  # foreign messages are counted, not fatal: the checker of the ingest lets none through
    return Event(*where, None, "", None)
