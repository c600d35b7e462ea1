"""Whether the time that a record states can be believed: one rule for files, posts, trainings and what follows Kafka.

A time is judged against the arrival of what states it. A row of a file and a posted event arrive when they are checked,
by that machine's clock; a record in Kafka or in the lake arrived at its Kafka timestamp, which is the broker's clock.

Rows and posts with a time too far after their arrival are refused. What is stored all the same, by an earlier release
or by a producer of somebody else, keeps its place and its identity, and its time is taken as unknown by all readers
alike: one such record would else be "now" for everybody's windows and weights.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, Self, TypeVar

MARGIN_S = 86_400
"""Seconds by which a time may lie after its arrival: local times without a zone are up to 14 hours ahead of UTC, and
clocks run fast."""
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
"""The first time that can be believed: before it are clocks that were never set."""
RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""Before this was released: a clock that says less was never set, and nothing is refused for it."""
REASON_CODE = "in_the_future"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
RELEASED_S = int(RELEASED.timestamp())
EARLIEST_US, MARGIN_US = (EARLIEST - EPOCH) // MICROSECOND, MARGIN_S * 1_000_000


class Truth(Protocol):
    """True or false, or a column of it."""

    def __and__(self, other: Self, /) -> Self: ...


V = TypeVar("V", bound=Truth)
V_co = TypeVar("V_co", bound=Truth, covariant=True)


class Micros(Protocol[V_co]):
    """Whole microseconds since 1970 UTC: a number, a NumPy array or a column of Spark."""

    def __add__(self, other: int, /) -> Self: ...

    def __ge__(self, other: int, /) -> V_co: ...

    def __le__(self, other: Self, /) -> V_co: ...


class ImplausibleTime(NamedTuple):
    """Why a row is refused: what a rejection and an answer of the API say."""

    code: str
    field: str
    message: str
    allowed: str


def is_plausible(moment: Micros[V], arrival: Micros[V]) -> V:
    """The rule: whether a moment lies between EARLIEST and its arrival with MARGIN_S; element by element of a column.

    An unknown moment, null or NaN, is not plausible.
    """
    return (moment >= EARLIEST_US) & (moment <= arrival + MARGIN_US)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC, which is what the lake keeps of a time."""
    return (moment - EPOCH) // MICROSECOND


def plausible_seconds(moment: datetime | None, arrival_ms: int) -> float | None:
    """Seconds since 1970 UTC, None where the moment is unknown or not plausible for a Kafka timestamp."""
    if moment is None or not is_plausible(to_micros(moment), arrival_ms * 1000):
        return None
    return (moment - EPOCH).total_seconds()


def parse_moment(value: object) -> datetime | None:
    """A time as the records topic holds it, ISO 8601, whatever it says; UTC without a zone. None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def arrival_s() -> int:
    """The arrival of what is checked now, in seconds since 1970 UTC, by this machine's clock if that was ever set."""
    return max(int(time.time()), RELEASED_S)


def find_implausible(record: Mapping[str, Any], fields: Sequence[str]) -> ImplausibleTime | None:
    """The first of a checked record's time fields that can't be believed now. EARLIEST is the contract's own."""
    for field in fields:
        moment = record[field]
        # The cheapest test first: this is done for every row of every file.
        if moment is None or moment <= RELEASED or moment.timestamp() <= time.time():
            continue
        limit_s = arrival_s() + MARGIN_S
        if moment.timestamp() > limit_s:
            limit = datetime.fromtimestamp(limit_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            allowed = f"a time up to {limit}, {MARGIN_S // 3600} hours from now by this machine's clock"
            sentence = f"{field}: {moment.isoformat()} is not usable; allowed: {allowed}"
            return ImplausibleTime(REASON_CODE, field, sentence, allowed)
    return None
