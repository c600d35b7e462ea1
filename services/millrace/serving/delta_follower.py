"""Following Kafka in an API process: one thread reads the deltas of every live workload into a store of each.

A deltas topic is compacted and has one partition: read from its beginning it gives the state, and then each change.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from millrace.messaging.client import CLIENT_ERRORS
from millrace.messaging.fence import Fence, Standing
from millrace.messaging.reader import Message, TopicPartition, TopicReader, open_follower
from millrace.runtime.retry import RepeatFilter
from millrace.serving.metrics import metrics
from millrace.settings import settings
from millrace.workloads import load_workloads
from millrace.workloads.base import Workload

log = logging.getLogger("millrace.api")
RETRY_DELAY_S = 1.0  # seconds between two tries to reach a broker, and two looks for topics that are not there yet
CATCH_UP_TIMEOUT_S = 30.0  # seconds after the start in which a broker that is away holds readiness up
BROKER_SILENCE_S = 5.0  # seconds without a message, while there are more, after which the broker is taken to be away
POLL_TIMEOUT_MS = 500  # milliseconds of a poll
MAX_POLL_RECORDS = 500  # messages between two looks at whether to stop


class DeltaStore(Protocol):
    """What a workload's deltas add up to. `apply` is called by one thread; requests read meanwhile."""

    def apply(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        """Take up one message; None is a tombstone. A message that comes twice changes nothing."""
        ...

    def scope(self, key: str) -> str:
        """What of the topic has a writer of its own: which one a key is of."""
        ...

    def begin_epoch(self, scope: str) -> None:
        """Another writer publishes in the scope from here on."""
        ...

    def doubt(self, key: str, timestamp_ms: int) -> None:
        """A message that does not count has come under this key; the writer will publish its value again."""
        ...

    @property
    def watermark(self) -> float | None:
        """Seconds since 1970 UTC: every record that arrived before is in; None before anything was said."""
        ...

    def describe(self) -> dict[str, Any]:
        """What readiness shows of it, besides staleness: offsets, versions."""
        ...


Store = TypeVar("Store")


def make_store(workload: Workload) -> DeltaStore:
    """What keeps a workload's deltas: overlays of a recommender, or the board of a page stream."""
    if workload.recommenders:
        from millrace.serving.overlays import Overlays

        return Overlays([model.name for model in workload.recommenders])
    from millrace.pages.board import Board

    return Board()


class DeltaFollower:
    """The stores of all live workloads. Without `api_live` they stay empty, and no broker is needed."""

    def __init__(self, stores: dict[str, DeltaStore] | None = None):
        declared = [one for one in load_workloads().values() if one.live]
        self.stores = stores if stores is not None else {one.name: make_store(one) for one in declared}
        self._topics = {one.deltas_topic: one.name for one in declared if one.name in self.stores}
        self._fences: dict[tuple[str, str], Fence] = {}  # by topic and scope
        self._next: dict[str, int] = {}  # by topic, what is read next
        self._ends: dict[str, int] = {}  # by topic, what must be read before it is caught up
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._enabled = False
        self._looked = False
        self.fault: str | None = None
        """Why Kafka can't be followed now, if so."""

    def start(self) -> None:
        if settings().api_live and self._topics:
            self._enabled, self._started = True, time.monotonic()
            threading.Thread(target=self._run, name="follow", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def store(self, workload: str, kind: type[Store]) -> Store:
        """The store of a live workload. Raises TypeError where it is not of the kind that the workload declares."""
        store = self.stores[workload]
        if not isinstance(store, kind):
            raise TypeError(f"{workload} has a store of the kind {type(store).__name__}, not {kind.__name__}")
        return store

    @property
    def ready(self) -> bool:
        """Whether all that was published before the start has been read, or the broker stays away."""
        if not self._enabled or (self._looked and not self._ends):
            return True
        return self.fault is not None and time.monotonic() - self._started > CATCH_UP_TIMEOUT_S

    def describe_all(self) -> dict[str, Any]:
        """By workload, `staleness` in seconds and what the store says.

        Staleness is now minus the watermark, null where nothing follows the records.
        """
        now = time.time()
        return {
            name: {"staleness": None if store.watermark is None else round(max(0.0, now - store.watermark), 3)}
            | store.describe()
            for name, store in sorted(self.stores.items())
        }

    def _run(self) -> None:
        faults = RepeatFilter()
        while not self._stop.is_set():
            try:
                # A topic that was made anew is read from its beginning.
                with open_follower(bootstrap_timeout_ms=3000, reconnect_backoff_max_ms=1000) as reader:
                    self._follow(reader)
            except CLIENT_ERRORS as error:
                self.fault = f"Kafka at {settings().kafka_bootstrap} can't be followed: {type(error).__name__}"
                if faults.passes(self.fault):
                    log.error("%s: %s; live answers stay as they are until it is back", self.fault, error)
            except Exception:
                log.exception("following Kafka failed")
            self._stop.wait(RETRY_DELAY_S)

    def _follow(self, reader: TopicReader) -> None:
        look, heard = 0.0, time.monotonic()
        while not self._stop.is_set():
            if time.monotonic() >= look and len(reader.assignment) < len(self._topics):
                self._assign(reader)
                look = time.monotonic() + RETRY_DELAY_S
            if not reader.assignment:
                self._stop.wait(RETRY_DELAY_S)
                continue
            for part, batch in reader.poll(POLL_TIMEOUT_MS, MAX_POLL_RECORDS).items():
                heard = time.monotonic()
                self._apply_batch(part.topic, batch)
            for topic, end in list(self._ends.items()):
                # The position and not the last message: compaction leaves gaps at the end too.
                if reader.position(TopicPartition(topic, 0)) >= end:
                    del self._ends[topic]
            silent = self._ends and time.monotonic() - heard > BROKER_SILENCE_S
            self.fault = f"Kafka at {settings().kafka_bootstrap} gives no {', '.join(self._ends)}" if silent else None
            self._update_metrics()

    def _assign(self, reader: TopicReader) -> None:
        """Follow the topics that exist by now, each from where it was read to."""
        present = reader.topics()
        parts = [TopicPartition(topic, 0) for topic in self._topics if topic in present]
        if set(parts) != reader.assignment:  # what was fetched and not read yet is dropped with every assignment
            reader.assign({part: self._next.get(part.topic) for part in parts})
        if not self._looked:
            self._ends = {part.topic: end for part, end in reader.end_offsets(parts).items()} if parts else {}
            self._looked = True
        self.fault = None

    def _apply_batch(self, topic: str, batch: Sequence[Message]) -> None:
        store = self.stores[self._topics[topic]]
        for message in batch:
            try:
                self._apply(topic, store, message)
            except Exception:
                # One message that can't be read must not keep the others from being followed.
                log.exception("%s offset %d was left out", topic, message.offset)
                metrics().deltas_refused.labels(topic).inc()
            self._next[topic] = message.offset + 1
        metrics().deltas.labels(topic).inc(len(batch))

    def _apply(self, topic: str, store: DeltaStore, message: Message) -> None:
        assert message.key is not None
        key = message.key.decode()
        scope = store.scope(key)
        fence = self._fences.setdefault((topic, scope), Fence(scope))
        standing = fence.judge(message)
        if standing is Standing.CLAIM:
            store.begin_epoch(scope)
        elif fence.is_control(message.key):
            pass
        elif standing is Standing.CURRENT:
            store.apply(key, message.value, message.timestamp)
        else:
            store.doubt(key, message.timestamp)

    def _update_metrics(self) -> None:
        now = time.time()
        for name, store in self.stores.items():
            if store.watermark is not None:
                metrics().staleness.labels(name).set(max(0.0, now - store.watermark))
