"""One version, followed: a thread reads the records after its snapshot, folds them, and publishes what has changed."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from millrace.errors import MillraceError, TooLargeError
from millrace.messaging.client import CLIENT_ERRORS, OffsetsLostError
from millrace.messaging.fenced_writer import KeyedValue
from millrace.messaging.producer import Producer, make_producer
from millrace.messaging.reader import Message, TopicReader, open_follower
from millrace.online import deltas
from millrace.online.arrival_watermark import ArrivalWatermark
from millrace.online.event_counts import EventCounts
from millrace.online.metrics import metrics
from millrace.online.recall import OffsetRanges, RecordsLostError, find_deleted, recall_records
from millrace.online.scratch import SCRATCH_ERRORS, ScratchFolder
from millrace.online.state_publisher import ClaimHolder, StatePublisher
from millrace.online.version_base import VersionBase
from millrace.runtime.retry import RepeatFilter
from millrace.workloads.topic_records import read_record

log = logging.getLogger("millrace.online")
FLUSH_INTERVAL_S = 0.25  # seconds in which changes gather
HEARTBEAT_S = 1.0  # seconds between two watermarks where nothing changes
POPULARITY_INTERVAL_S = 3.0  # seconds between two orders of popularity
RETRY_DELAY_S = 1.0  # seconds before a broker that failed is tried again
START_OVER_DELAY_S = 30.0  # seconds before all is read again, after a disk that was full
MAX_POLL_RECORDS = 2000
CLIENT_OPTIONS: dict[str, int | str] = {
    "auto_offset_reset": "none",
    "bootstrap_timeout_ms": 5000,
    "reconnect_backoff_max_ms": 500,
    "fetch_max_wait_ms": 200,
}
Offsets = dict[int, int]
"""Partition -> next offset."""


class VersionFollower(threading.Thread):
    """`after` is where the snapshot ends; `lease` says under which claim to publish."""

    def __init__(
        self,
        base: VersionBase,
        after: Offsets,
        lease: ClaimHolder,
        making: Callable[[], Producer] = make_producer,
        scratch: ScratchFolder | None = None,
    ):
        super().__init__(name=f"{base.workload.name} {base.version}", daemon=True)
        self._after, self._scratch, self._lease, self._making = dict(after), scratch, lease, making
        self.ended = threading.Event()
        self._topic = base.workload.records_topic
        self._time = base.model.time
        self._metrics = metrics().for_workload(base.workload.name)
        self._published: Offsets = dict(after)
        self._begin(EventCounts(base, scratch))

    def _begin(self, counts: EventCounts) -> None:
        """From the snapshot on, with nothing counted yet."""
        self.fold = counts
        self.publisher = StatePublisher(counts, self._lease, self._making)
        self._goal: Offsets | None = None  # where the records ended at first: no earlier writer has read on from there
        self.next: Offsets = dict(self._after)
        self._watermark = ArrivalWatermark()
        self._error: str | None = None
        self._due = {"flush": 0.0, "heartbeat": 0.0, "popular": 0.0}

    @property
    def full_version(self) -> str:
        return f"{self.fold.base.workload.name} {self.fold.base.version}"

    def covers(self, other: "VersionFollower") -> bool:
        """Whether it has published all that the other has."""
        return self.publisher.settled and all(self.next.get(part, 0) >= offset for part, offset in other.next.items())

    def run(self) -> None:
        faults = RepeatFilter()
        self._metrics.lost.set(0)
        while not self.ended.is_set():
            try:
                with open_follower(**CLIENT_OPTIONS) as reader:
                    self._follow(reader)
            except RecordsLostError as error:
                self._error = str(error)
                log.error("%s: %s", self.full_version, error)
                self._metrics.lost.set(1)
                self._give_up()
            except SCRATCH_ERRORS as error:
                self._start_over(error)
            except TooLargeError as error:
                if faults.passes(error.message):
                    log.error("%s: %s", self.full_version, error)
                self._pause()
            except (*CLIENT_ERRORS, MillraceError) as error:
                if faults.passes(str(error)):
                    log.error("%s: it can't read on, state is kept until it can: %s", self.full_version, error)
                self._pause()
            except Exception:
                log.exception("%s: a fault; it goes on from where it was", self.full_version)
                self._pause()
        self.publisher.close()
        self.fold.close()

    def _pause(self) -> None:
        self.publisher.close()
        self.ended.wait(RETRY_DELAY_S)

    def _start_over(self, error: Exception) -> None:
        """Drop a state that may be half of one, say so beside the offsets published, and read all again later."""
        self._error = f"no room for the events since the snapshot: {error}"
        log.error("%s: %s; nothing more is published for now", self.full_version, self._error)
        self._metrics.scratch_full.set(1)
        self.fold.close()
        self.next = dict(self._published)
        with suppress(MillraceError):
            self._send_watermark()
        self.publisher.close()
        while not self.ended.wait(START_OVER_DELAY_S):
            with suppress(*SCRATCH_ERRORS):
                self._begin(EventCounts(self.fold.base, self._scratch))
                break

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
                log.info("%s: Kafka has deleted what is to be read next (%s)", self.full_version, error)
                self.ended.wait(RETRY_DELAY_S)
                self._assign(reader, again=True)
                continue
            for part, batch in batches.items():
                for message in batch:
                    self._add_record(message)
                self._watermark.note(part.partition, batch[-1].timestamp)
            self._watermark.update(reader, began)
            self._publish()

    def _assign(self, reader: TopicReader, again: bool = False) -> None:
        """Read every partition that there is from where this version is; new ones from their beginning.

        What Kafka no longer holds comes from the lake.
        """
        parts = reader.partitions(self._topic)
        if set(parts) == reader.assignment and not again:
            return
        begins, ends = reader.begin_offsets(parts), reader.end_offsets(parts)
        for part in parts:
            self.next.setdefault(part.partition, 0)
        if deleted := find_deleted(self.fold.base.workload, self.next, begins, ends):
            self._recall(deleted)
        if self._goal is None:
            self._goal = {part.partition: end for part, end in ends.items()}
        reader.assign({part: self.next[part.partition] for part in parts})

    def _recall(self, deleted: OffsetRanges) -> None:
        """Add these offsets from the lake, and publish on the way as if Kafka had given them."""
        for batch in recall_records(self.fold.base.workload, deleted):
            for message in batch.messages:
                self._add_record(message)
                self._watermark.note(batch.partition, message.timestamp)
            self.next[batch.partition] = batch.end
            self._metrics.recalled.inc(len(batch.messages))
            if self.ended.is_set():
                return
            self._publish()

    def _add_record(self, message: Message) -> None:
        self.next[message.partition] = message.offset + 1
        record = read_record(self.fold.base.workload, self._time, message.value)
        if record is None:
            self._metrics.event_counter("unreadable").inc()
            return
        added = self.fold.add(record, (message.timestamp, message.partition, message.offset))
        self._metrics.event_counter("accepted" if added else "repeated").inc()

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
        self._published = dict(self.next)
        changes, popular = published
        if popular:
            self._due["popular"] = now + POPULARITY_INTERVAL_S
        done = time.monotonic()  # a flush takes long while it catches up: half of the time is for reading
        self._due["flush"], self._due["heartbeat"] = done + max(FLUSH_INTERVAL_S, done - now), now + HEARTBEAT_S
        self._metrics.record_publish(changes, done - now, self._watermark.at)
        self._metrics.scratch_full.set(0)

    def _watermark_message(self) -> KeyedValue:
        fold = self.fold
        counts = {"accepted": fold.accepted, "repeated": fold.repeated, "unlinked": fold.unlinked}
        key, value = deltas.watermark_message(
            deltas.version_prefix(fold.base.model.name, fold.base.version),
            format=deltas.DELTA_FORMAT,
            offsets={str(part): offset for part, offset in sorted(self.next.items())},
            at=self._watermark.at,
            newest=self._watermark.newest,
            error=self._error,
            **counts,
        )
        return key.encode(), value

    def _send_watermark(self) -> bool:
        """Publish how far it is, and its error; False without a claim. Raises UnavailableError."""
        claim = self.publisher.claim
        if claim is not None:
            self.publisher.send(claim, [self._watermark_message()])
        return claim is not None

    def _give_up(self) -> None:
        """Say so, once Kafka takes it, and wait for a new version."""
        while not self.ended.is_set():
            try:
                if self._send_watermark():
                    break
            except MillraceError:
                self.publisher.close()
            self.ended.wait(RETRY_DELAY_S)
        self.ended.wait()
