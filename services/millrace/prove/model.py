r"""What is right, written once: a state machine of the users' events, and rules for answers and failures.

The rules for what is stored are in lake_model.py.

    posted --202--> acknowledged        it is in the lake once at its position, counts once, and is in every answer
      |  \--503---> unknown             that is asked for `deadline_s` later
      |                |                it may be there or not; the client sends it again, and it still counts once
      +----202---------+

A user has one client, which posts the user's events one after another, in the order of their times, and goes on only
when an event was acknowledged or given up. Each event has an item that the user takes once. Therefore

- **serial**: an answer holds the events up to some point, in their order; what is missing before that point was never
  acknowledged;
- **fresh**: an event that was acknowledged `deadline_s` before the answer was asked for is in it. The clock of this
  promise stands still during a disturbance;
- **excused**: a request fails only in a disturbance that excuses it, and only by 503 or without an answer.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Rule = Literal["lost", "doubled", "invented", "miscounted", "wrong", "stale", "failed", "unsettled"]
"""`lost`: acknowledged and not in the lake. `doubled`: there twice. `invented`: there and never sent. `miscounted`:
counted more or less often than it is there. `wrong`: an answer of no serial order. `stale`: older than promised.
`failed`: a request that must not fail. `unsettled`: the stack did not recover."""
DEADLINE_S = 10.0
"""Seconds. docs/online.md promises two on an idle machine; here engines are killed and started beside the clients."""


SWAP_S = 30.0
"""Seconds that an API process waits, at the most, for a new champion to take up the events that the old one has."""


class Finding(NamedTuple):
    """What is not right."""

    rule: Rule
    sentence: str


@dataclass(frozen=True)
class Disturbance:
    """From a fault's begin until the stack is healthy again. Those that overlap are one."""

    begin: float
    end: float
    may_fail: frozenset[str]
    stale: bool


@dataclass
class PostedEvent:
    """One event of a user."""

    item: str
    posted_at: float
    acknowledged_at: float | None = None


@dataclass
class UserLog:
    """A user's events in the order of their times."""

    events: list[PostedEvent] = field(default_factory=list)

    def find(self, item: str) -> PostedEvent | None:
        """The event of an item."""
        return next((event for event in self.events if event.item == item), None)


class Promotion(NamedTuple):
    """A champion: `done_at` is None where it is not known whether it was promoted."""

    version: str
    begun_at: float
    done_at: float | None


def merge_disturbances(disturbances: Iterable[Disturbance]) -> list[Disturbance]:
    """By time, those that overlap as one that excuses what any of them does."""
    merged: list[Disturbance] = []
    for later in sorted(disturbances, key=lambda disturbance: disturbance.begin):
        if merged and later.begin <= merged[-1].end:
            first = merged.pop()
            excused = first.may_fail | later.may_fail
            later = Disturbance(first.begin, max(first.end, later.end), excused, first.stale or later.stale)
        merged.append(later)
    return merged


class Model:
    """The state machine. Transitions are `post` and `acknowledge`; `explain_*` says what is not right, or None."""

    def __init__(self, disturbances: Iterable[Disturbance] = (), deadline_s: float = DEADLINE_S):
        self.disturbances = merge_disturbances(disturbances)
        self.deadline_s = deadline_s
        self.users: dict[str, UserLog] = defaultdict(UserLog)

    def post(self, user: str, item: str, at: float) -> None:
        """An event is sent, for the first time or again: from now on it may be there."""
        if self.users[user].find(item) is None:
            self.users[user].events.append(PostedEvent(item, at))

    def acknowledge(self, user: str, item: str, at: float) -> None:
        """It is there. A second acknowledgement of an event changes nothing."""
        event = self.users[user].find(item)
        if event is not None and event.acknowledged_at is None:
            event.acknowledged_at = at

    def due_at(self, acknowledged_at: float) -> float:
        """From when on an answer must hold an event: after `deadline_s` seconds in a row without a disturbance."""
        due = acknowledged_at + self.deadline_s
        for disturbance in self.disturbances:
            if disturbance.stale and disturbance.begin <= due and disturbance.end >= acknowledged_at:
                due = max(due, disturbance.end + self.deadline_s)
        return due

    def is_required(self, event: PostedEvent, asked_at: float) -> bool:
        """Whether an answer that is asked for then must hold the event."""
        if event.acknowledged_at is None or asked_at <= self.due_at(event.acknowledged_at):
            return False
        return not any(d.stale and d.begin <= asked_at <= d.end for d in self.disturbances)

    def explain_history(self, user: str, items: Sequence[str], asked_at: float, answered_at: float) -> Finding | None:
        """Serial and fresh: what is not right in a user's history."""
        events = self.users[user].events
        places = {event.item: index for index, event in enumerate(events) if event.posted_at <= answered_at}
        if strange := [item for item in items if item not in places]:
            return Finding("wrong", f"{user}'s history has {strange[0]}, which nobody had posted for the user")
        order = [places[item] for item in items]
        if order != sorted(set(order)):
            return Finding("wrong", f"{user}'s history {list(items)} is not in the order of {[e.item for e in events]}")
        for index, event in enumerate(events):
            if index in order:
                continue
            if order and index < order[-1] and event.acknowledged_at is not None:
                return Finding("wrong", f"{user}'s history has {items[-1]} and lacks {event.item}, which came before")
            if self.is_required(event, asked_at):
                return Finding(
                    "stale", f"{user}'s history lacks {event.item}, acknowledged {self._ago(event, asked_at)}"
                )
        return None

    def explain_recommendations(self, user: str, items: Collection[str], asked_at: float) -> Finding | None:
        """Fresh: an item that the user has taken is not recommended any more."""
        taken = (event for event in self.users[user].events if self.is_required(event, asked_at))
        event = next((event for event in taken if event.item in items), None)
        if event is None:
            return None
        ago = self._ago(event, asked_at)
        return Finding("stale", f"{user} is recommended {event.item}, which the user took; acknowledged {ago}")

    def explain_failure(self, action: str, begin: float, end: float) -> Finding | None:
        """Excused: whether a disturbance lets a request fail that was under way from `begin` to `end`."""
        if any(d.begin <= end and d.end >= begin and action in d.may_fail for d in self.disturbances):
            return None
        return Finding("failed", f"{action} failed at {begin:.2f} s, and no fault excuses it")

    def explain_version(self, version: str, promotions: Sequence[Promotion], asked_at: float) -> Finding | None:
        """Fresh: the champion that answers is the newest that was promoted, or one whose promotion is not due yet.

        `promotions` are in the order of their time; the first is the champion at the start.
        """
        due = [index for index, promotion in enumerate(promotions) if self._is_due(promotion, asked_at)]
        newest = due[-1] if due else 0
        allowed = {promotion.version for promotion in promotions[newest:] if promotion.begun_at <= asked_at}
        if version in allowed:
            return None
        return Finding("stale", f"{version} answers; the champion is {', '.join(sorted(allowed))}")

    def _is_due(self, promotion: Promotion, asked_at: float) -> bool:
        done_at = promotion.done_at
        promoted = None if done_at is None else PostedEvent(promotion.version, promotion.begun_at, done_at + SWAP_S)
        return promoted is not None and self.is_required(promoted, asked_at)

    def _ago(self, event: PostedEvent, asked_at: float) -> str:
        return f"{asked_at - (event.acknowledged_at or 0):.1f} s before"
