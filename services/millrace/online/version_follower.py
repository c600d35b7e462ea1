"""One version, followed: a thread reads the records after its snapshot, folds them, and publishes what has changed."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain

from millrace.errors import MillraceError
from millrace.messaging.client import CLIENT_ERRORS, OffsetsLostError
from millrace.messaging.producer import Producer, make_producer
from millrace.messaging.reader import Message, TopicReader, open_follower
from millrace.online import deltas
from millrace.online.event_counts import EventCounts
from millrace.online.metrics import metrics
from millrace.online.recall import OffsetRanges, RecordsLostError, find_deleted, recall_records
from millrace.online.scratch import SCRATCH_ERRORS, ScratchFolder
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
UNKNOWN_END = 1 << 62  # an offset behind all others: of a partition whose end no fetch has said yet
CLIENT_OPTIONS: dict[str, int | str] = {
    "auto_offset_reset": "none",
    "bootstrap_timeout_ms": 5000,
    "reconnect_backoff_max_ms": 500,
    "fetch_max_wait_ms": 200,
}
Offsets = dict[int, int]
"""Partition -> next offset."""


class VersionFollower(threading.Thread):
    """`after` is where the snapshot ends; `published` how far an earlier process had published this version."""

    def __init__(
        self,
        base: VersionBase,
        after: Offsets,
        published: Offsets,
        making: Callable[[], Producer] = make_producer,
        scratch: ScratchFolder | None = None,
    ):
        super().__init__(name=f"{base.workload.name} {base.version}", daemon=True)
        self._after, self._scratch = dict(after), scratch
        self.fold = EventCounts(base, scratch)
        self.next: Offsets = dict(after)
        self.ended = threading.Event()
        self._published, self._making = published, making
        self._topic = base.workload.records_topic
        self._time = base.model.time
        self._producer: Producer | None = None
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
        return self._is_caught_up() and all(self.next.get(part, 0) >= offset for part, offset in other.next.items())

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
            except (*CLIENT_ERRORS, MillraceError) as error:
                if faults.passes(str(error)):
                    log.error("%s: it can't read on, state is kept until it can: %s", self.full_version, error)
                self._forget_producer()
                self.ended.wait(RETRY_DELAY_S)
            except Exception:
                log.exception("%s: a fault; it goes on from where it was", self.full_version)
                self._forget_producer()
                self.ended.wait(RETRY_DELAY_S)
        self._forget_producer()
        self.fold.close()

    def _start_over(self, error: Exception) -> None:
        """Drop a state that may be half of one, say so beside the offsets published, and read all again later."""
        self._error = f"no room for the events since the snapshot: {error}"
        log.error("%s: %s; nothing more is published for now", self.full_version, self._error)
        self._metrics.scratch_full.set(1)
        self.fold.close()
        self.next = dict(self._published)
        try:
            self._send([self._watermark_message()])
        except MillraceError:
            self._forget_producer()
        while not self.ended.wait(START_OVER_DELAY_S):
            with suppress(*SCRATCH_ERRORS):
                self.fold = EventCounts(self.fold.base, self._scratch)
                break
        self.next, self._newest, self._at, self._error = dict(self._after), {}, None, None

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
                self._newest[part.partition] = batch[-1].timestamp
            self._watermark(reader, began)
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
        reader.assign({part: self.next[part.partition] for part in parts})

    def _recall(self, deleted: OffsetRanges) -> None:
        """Add these offsets from the lake, and publish on the way as if Kafka had given them."""
        for batch in recall_records(self.fold.base.workload, deleted):
            for message in batch.messages:
                self._add_record(message)
                self._newest[batch.partition] = message.timestamp
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
        silent = message.offset < self._published.get(message.partition, 0)
        added = self.fold.add(record, (message.timestamp, message.partition, message.offset), silent)
        self._metrics.event_counter("accepted" if added else "repeated").inc()

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
        return all(self.next.get(part, 0) >= offset for part, offset in self._published.items())

    def _publish(self) -> None:
        now = time.monotonic()
        # Until all is read that was published before, a message could take back what an earlier process has said.
        if now < self._due["flush"] or not self._is_caught_up():
            return
        popular = now >= self._due["popular"]
        if not self.fold.has_messages(popular) and now < self._due["heartbeat"]:
            return
        count = self._send(chain(self.fold.messages(popular), [self._watermark_message()])) - 1
        self.fold.mark_published(popular)
        self._published = dict(self.next)
        if popular:
            self._due["popular"] = now + POPULARITY_INTERVAL_S
        done = time.monotonic()  # a flush takes long while it catches up: half of the time is for reading
        self._due["flush"], self._due["heartbeat"] = done + max(FLUSH_INTERVAL_S, done - now), now + HEARTBEAT_S
        self._metrics.record_publish(count, done - now, self._at)
        self._metrics.scratch_full.set(0)

    def _watermark_message(self) -> tuple[str, bytes]:
        fold = self.fold
        counts = {"accepted": fold.accepted, "repeated": fold.repeated, "unlinked": fold.unlinked}
        newest = max(self._newest.values(), default=None)
        return deltas.watermark_message(
            fold.base.version,
            format=deltas.DELTA_FORMAT,
            offsets={str(part): offset for part, offset in sorted(self.next.items())},
            at=self._at,
            newest=None if newest is None else newest / 1000,
            error=self._error,
            **counts,
        )

    def _send(self, messages: Iterable[tuple[str, bytes]]) -> int:
        """How many messages were sent and acknowledged; they need not fit into memory all at once."""
        if self._producer is None:
            self._producer = self._making()
        count = 0
        for key, value in messages:
            self._producer.send(self.fold.base.workload.deltas_topic, key.encode(), value)
            count += 1
        self._producer.flush()
        return count

    def _give_up(self) -> None:
        """Say so, once Kafka takes it, and wait for a new version."""
        while not self.ended.is_set():
            try:
                self._send([self._watermark_message()])
                break
            except MillraceError:
                self._forget_producer()
                self.ended.wait(RETRY_DELAY_S)
        self.ended.wait()

    def _forget_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()
