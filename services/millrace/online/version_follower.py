"""One version, followed: a thread reads the records after its snapshot, folds them, and publishes what has changed."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
from pydantic import ValidationError

from millrace.errors import MillraceError, TooLargeError
from millrace.messaging.client import CLIENT_ERRORS, OffsetsLostError
from millrace.messaging.fenced_writer import KeyedValue
from millrace.messaging.producer import Producer, make_producer
from millrace.messaging.reader import Message, TopicReader, open_follower
from millrace.online import deltas
from millrace.online.event_counts import EventCounts, VersionBase
from millrace.online.metrics import metrics
from millrace.online.state_publisher import ClaimHolder, StatePublisher
from millrace.records.times import parse_moment
from millrace.runtime.retry import RepeatFilter

log = logging.getLogger("millrace.online")
FLUSH_INTERVAL_S = 0.25  # seconds in which changes gather
HEARTBEAT_S = 1.0  # seconds between two watermarks where nothing changes
POPULARITY_INTERVAL_S = 3.0  # seconds between two orders of popularity
RETRY_DELAY_S = 1.0  # seconds before a broker that failed is tried again
MAX_POLL_RECORDS = 2000
UNKNOWN_END = 1 << 62  # an offset behind all others: of a partition whose end no fetch has said yet
CLIENT_OPTIONS: dict[str, int | str] = {
    "auto_offset_reset": "none",
    "bootstrap_timeout_ms": 5000,
    "reconnect_backoff_max_ms": 500,
    "fetch_max_wait_ms": 200,
}
Offsets = dict[int, int]
"""Partition -> next offset."""


class RecordsLostError(Exception):
    """Records after the snapshot are no longer in Kafka."""


class VersionFollower(threading.Thread):
    """`after` is where the snapshot ends; `lease` says under which claim to publish."""

    def __init__(
        self, base: VersionBase, after: Offsets, lease: ClaimHolder, making: Callable[[], Producer] = make_producer
    ):
        super().__init__(name=f"{base.workload.name} {base.version}", daemon=True)
        self.fold = EventCounts(base)
        self.next: Offsets = dict(after)
        self.ended = threading.Event()
        self.publisher = StatePublisher(self.fold, lease, making)
        self._goal: Offsets | None = None  # where the records ended at first: no earlier writer has read on from there
        self._topic = base.workload.records_topic
        self._time = base.model.time
        self._validate = base.workload.record.__pydantic_validator__.validate_python
        self._newest: dict[int, int] = {}  # by partition, the timestamp of what was read last, in milliseconds
        self._at: float | None = None
        self._error: str | None = None
        self._due = {"flush": 0.0, "heartbeat": 0.0, "popular": 0.0, "ends": 0.0}
        self._metrics = metrics().for_workload(base.workload.name)

    @property
    def full_version(self) -> str:
        return f"{self.fold.base.workload.name} {self.fold.base.version}"

    def covers(self, other: "VersionFollower") -> bool:
        """Whether it has published all that the other has."""
        return self.publisher.settled and all(self.next.get(part, 0) >= offset for part, offset in other.next.items())

    def run(self) -> None:
        faults = RepeatFilter()
        while not self.ended.is_set():
            try:
                with open_follower(**CLIENT_OPTIONS) as reader:
                    self._follow(reader)
            except RecordsLostError as error:
                self._error = str(error)
                log.error("%s: %s", self.full_version, error)
                self._metrics.lost.set(1)
                self._give_up()
            except TooLargeError as error:
                if faults.passes(error.message):
                    log.error("%s: %s", self.full_version, error)
                self._pause()
            except (*CLIENT_ERRORS, MillraceError) as error:
                if faults.passes(str(error)):
                    log.error("%s: Kafka is unavailable, state is kept until it is back: %s", self.full_version, error)
                self._pause()
            except Exception:
                log.exception("%s: a fault; it goes on from where it was", self.full_version)
                self._pause()
        self.publisher.close()

    def _pause(self) -> None:
        self.publisher.close()
        self.ended.wait(RETRY_DELAY_S)

    def _follow(self, reader: TopicReader) -> None:
        look = 0.0
        while not self.ended.is_set():
            if time.monotonic() >= look:
                self._assign(reader)
                look = time.monotonic() + 5
            if not reader.assignment:
                self.ended.wait(RETRY_DELAY_S)
                look = 0.0
                continue
            began = time.time()
            # A record ends the wait; what it changes goes out at once, or with what gathers.
            due = self._due["flush" if self.fold.changed else "heartbeat"]
            wait = max(0.01, due - time.monotonic())
            try:
                batches = reader.poll(int(1000 * wait), MAX_POLL_RECORDS)
            except OffsetsLostError as error:
                raise RecordsLostError(
                    f"Kafka no longer has what follows the snapshot ({error}); train again."
                ) from None
            for part, batch in batches.items():
                for message in batch:
                    self._add_record(message)
                self._newest[part.partition] = batch[-1].timestamp
            self._watermark(reader, began)
            self._publish()

    def _assign(self, reader: TopicReader) -> None:
        """Read every partition that there is from where this version is; new ones from their beginning."""
        parts = reader.partitions(self._topic)
        if set(parts) == reader.assignment:
            return
        begins, ends = reader.begin_offsets(parts), reader.end_offsets(parts)
        for part in parts:
            wanted = self.next.setdefault(part.partition, 0)
            if not begins[part] <= wanted <= ends[part]:
                raise RecordsLostError(
                    f"{self._topic} holds offsets {begins[part]} to {ends[part]} of partition {part.partition}, and "
                    f"the snapshot ends before {wanted}: the events in between are not in Kafka. Train again: "
                    f"`millrace train {self.fold.base.workload.name}`."
                )
        if self._goal is None:
            self._goal = {part.partition: end for part, end in ends.items()}
        reader.assign({part: self.next[part.partition] for part in parts})

    def _add_record(self, message: Message) -> None:
        self.next[message.partition] = message.offset + 1
        try:
            record = self._read(orjson.loads(message.value or b""))
        except (orjson.JSONDecodeError, ValidationError):
            # Not from an ingest or the API; the sink leaves it out too, so training never sees it.
            self._metrics.event_counter("unreadable").inc()
            return
        added = self.fold.add(record, (message.timestamp, message.partition, message.offset))
        self._metrics.event_counter("accepted" if added else "repeated").inc()

    def _read(self, values: object) -> dict[str, Any]:
        """A record as the lake has it, with a time too that no contract allows: a training counts such an event."""
        try:
            return self._validate(values).__dict__
        except ValidationError:
            if not isinstance(values, dict) or (moment := parse_moment(values.get(self._time))) is None:
                raise
            return self._validate(values | {self._time: None}).__dict__ | {self._time: moment}

    def _watermark(self, reader: TopicReader, began: float) -> None:
        """Where all partitions are read to their end, everything that had come before is in.

        Once a second the brokers are asked where that is: what a fetch said last may be old.
        """
        parts = reader.assignment
        behind = [part for part in parts if reader.position(part) < (reader.high_watermark(part) or UNKNOWN_END)]
        empty = [part for part in behind if reader.high_watermark(part) == 0]
        late = [self._newest.get(part.partition) for part in set(behind) - set(empty)]
        if not late:
            if time.monotonic() >= self._due["ends"]:
                ends = reader.end_offsets(parts)
                if all(reader.position(part) >= end for part, end in ends.items()):
                    self._at, self._due["ends"] = began, time.monotonic() + HEARTBEAT_S
        elif None not in late:
            self._at = min(at for at in late if at is not None) / 1000

    def _is_caught_up(self) -> bool:
        return self._goal is not None and all(self.next.get(part, 0) >= end for part, end in self._goal.items())

    def _publish(self) -> None:
        now, claim = time.monotonic(), self.publisher.claim
        if claim is None:
            self._due["flush"] = self._due["heartbeat"] = now + FLUSH_INTERVAL_S
        # Until all is read that was published before, a message could take back what an earlier process has said.
        if claim is None or now < self._due["flush"] or not self._is_caught_up():
            return
        popular, heartbeat = now >= self._due["popular"], now >= self._due["heartbeat"]
        published = self.publisher.publish(claim, self._watermark_message, popular, heartbeat)
        if published is None:
            return
        changes, popular = published
        if popular:
            self._due["popular"] = now + POPULARITY_INTERVAL_S
        self._due["flush"], self._due["heartbeat"] = now + FLUSH_INTERVAL_S, now + HEARTBEAT_S
        self._metrics.record_publish(changes, time.monotonic() - now, self._at)

    def _watermark_message(self) -> KeyedValue:
        fold = self.fold
        counts = {"accepted": fold.accepted, "repeated": fold.repeated, "unlinked": fold.unlinked}
        newest = max(self._newest.values(), default=None)
        key, value = deltas.watermark_message(
            deltas.version_prefix(fold.base.model.name, fold.base.version),
            format=deltas.DELTA_FORMAT,
            offsets={str(part): offset for part, offset in sorted(self.next.items())},
            at=self._at,
            newest=None if newest is None else newest / 1000,
            error=self._error,
            **counts,
        )
        return key.encode(), value

    def _give_up(self) -> None:
        """Say so, once Kafka takes it, and wait for a new version."""
        while not self.ended.is_set():
            claim = self.publisher.claim
            try:
                if claim is not None:
                    self.publisher.send(claim, [self._watermark_message()])
                    break
            except MillraceError:
                self.publisher.close()
            self.ended.wait(RETRY_DELAY_S)
        self.ended.wait()
