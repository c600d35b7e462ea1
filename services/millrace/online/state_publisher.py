"""Publishes what a version's events add up to: at first what the topic lacks of it, then what changes."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Protocol

from millrace.errors import TooLargeError
from millrace.messaging.fence import Claim, hash_value, read_published
from millrace.messaging.fenced_writer import KeyedValue
from millrace.messaging.producer import Producer, make_producer
from millrace.messaging.reader import Message, read_all
from millrace.online import deltas
from millrace.online.event_counts import EventCounts

log = logging.getLogger("millrace.online")


class ClaimHolder(Protocol):
    """Says under which claim to publish, None while there is none."""

    claim: Claim | None

    def report_failed_send(self) -> None:
        """What was sent may still arrive: there has to be another claim before more is sent."""
        ...


class StatePublisher:
    """The topic's copy of one version's state.

    What is there already is compared value by value, and only trusted where every reader must have it: no watermark of
    another process says what has become of its messages.
    """

    def __init__(
        self,
        counts: EventCounts,
        lease: ClaimHolder,
        making: Callable[[], Producer] = make_producer,
        read: Callable[[str], Iterable[Message]] = read_all,
    ):
        base = counts.base
        self.settled = False
        """Whether all of the state is published; from then on it is what changes."""
        self._counts, self._lease, self._making, self._read = counts, lease, making, read
        self._name = f"{base.workload.name} {base.version}"
        self._prefix = deltas.version_prefix(base.model.name, base.version)
        self._mark = deltas.watermark_key(self._prefix).encode()
        self._published: dict[bytes, int] | None = None
        """Of a state that is not settled: the hash of what the topic has of a key, 0 where that is not sure."""
        self._overwritten: deque[bytes] = deque()
        self._taken_back: set[bytes] = set()
        self._popular_overwritten = False
        self._oversized: set[bytes] = set()
        self._producer: Producer | None = None

    @property
    def claim(self) -> Claim | None:
        """What to publish under. It is read before `publish`, which sends what was overwritten before it was made."""
        return self._lease.claim

    def restate(self, keys: set[bytes]) -> set[bytes]:
        """Publish those of the keys again that are of this version; the others. Called by another thread."""
        prefix = f"{self._prefix}/".encode()
        own = {key for key in keys if key.startswith(prefix)}
        self._overwritten.extend(own)
        return keys - own

    def publish(
        self, claim: Claim, watermark: Callable[[], KeyedValue], popular: bool, heartbeat: bool
    ) -> tuple[int, bool] | None:
        """Send what has changed, then the watermark; how many changes, and whether popularity was among them.

        None where nothing has changed and it is no time for a `heartbeat`. Raises UnavailableError; then the same is
        sent the next time, under another claim.
        """
        mark_overwritten = self._compare(claim)
        popular = popular or self._popular_overwritten or not self.settled
        messages = self._messages(popular)
        first = next(messages, None)
        if first is None and self.settled and not heartbeat and not mark_overwritten:
            return None
        count = 0 if first is None else self.send(claim, chain([first], messages))
        # Once they are acknowledged: it says that they are there.
        self.send(claim, [watermark()])
        self._counts.mark_published(popular)
        self._taken_back.clear()
        self._popular_overwritten = False
        self._published, self.settled = {}, True
        return count, popular

    def _compare(self, claim: Claim) -> bool:
        """Read once what the topic holds, then find what was overwritten; whether the watermark was."""
        if self._published is None:
            messages = self._read(claim.topic)
            prefix = f"{self._prefix}/".encode()
            self._published = read_published(messages, claim, prefix, self._mark, deltas.is_whole)
        mark_overwritten = False
        while self._overwritten:
            key = self._overwritten.popleft()
            kind, name = deltas.split_key(key.decode("utf-8", "replace"))[2:]
            if key == self._mark:
                mark_overwritten = True
            elif not self.settled:
                self._published[key] = 0
            elif self._counts.mark_changed(kind, name):
                self._popular_overwritten = self._popular_overwritten or kind == "popular"
            else:
                self._taken_back.add(key)
        return mark_overwritten

    def _messages(self, popular: bool) -> Iterator[KeyedValue]:
        """What has changed or was overwritten; of a state that is not settled what differs from the topic's."""
        published = {} if self._published is None else dict(self._published)
        for key, value in self._counts.messages(popular):
            encoded = key.encode()
            self._taken_back.discard(encoded)
            if published.pop(encoded, None) != hash_value(value):
                yield encoded, value
        # What nothing was counted under is none of this version's state.
        for encoded in [*published, *self._taken_back]:
            yield encoded, None

    def send(self, claim: Claim, messages: Iterable[KeyedValue]) -> int:
        """How many were sent, and are acknowledged. One that is too large for any broker is left out and logged."""
        sent = 0
        try:
            if self._producer is None:
                self._producer = self._making()
            for key, value in messages:
                try:
                    self._producer.send(claim.topic, key, value, claim.headers)
                    sent += 1
                except TooLargeError as error:
                    if key not in self._oversized:
                        log.error("%s: %s is left out: %s", self._name, key.decode(), error)
                    self._oversized.add(key)
            self._producer.flush()
        except BaseException:
            self._lease.report_failed_send()
            raise
        return sent

    def close(self) -> None:
        """Leave the brokers; what is sent later has another connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()
