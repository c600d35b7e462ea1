"""Messages sent from an event loop: each is acknowledged by all replicas before its place is given, in bounded time.

The client is made by a thread of its own at the first message, and made anew when a broker that came back can't be
reached by the old one. What could not be acknowledged may have been written or not: the caller repeats it, and whoever
reads the topic knows an event that comes twice by its identity.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError

from millrace.errors import MillraceError, UnavailableError
from millrace.messaging.client import close_producer, common_options
from millrace.messaging.topics import MAX_MESSAGE_BYTES
from millrace.records.accepted_records import AcceptedRecord
from millrace.settings import settings

log = logging.getLogger("millrace.messaging")
LINGER_MS = 5  # milliseconds in which messages gather into a batch
MAX_WAITING_MESSAGES = 20_000  # messages under way at the most; more are refused at once, so that memory stays bounded
YIELD_EVERY_MESSAGES = 100  # messages that are sent in one go
RETRY_DELAY_S = 1.0  # seconds between two tries to make a client
Positions = list[tuple[int, int]]
"""(partition, offset) of each message, in their order."""
Outcome = tuple[int, int] | BaseException
"""(partition, offset) of a message that was acknowledged, or why it was not."""


class PendingRequest(NamedTuple):
    """Messages of one request under way."""

    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[list[Outcome | None]]
    outcomes: list[Outcome | None]
    """In the order of the messages; None of one that is under way."""
    lock: threading.Lock

    def record(self, number: int, outcome: Outcome) -> None:
        """One was acknowledged, or failed; called by the client's thread."""
        with self.lock:
            self.outcomes[number] = outcome
            whole = None not in self.outcomes
        if whole:
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self.loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(self.outcomes)


class Outbox:
    """One for a process. Nothing is connected before the first message."""

    def __init__(self) -> None:
        self._client: KafkaProducer | None = None
        self._known: set[str] = set()
        """Topics whose partitions the client knows, so that sending to them never blocks."""
        self._wanted: set[str] = set()
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._under_way = 0
        self._fault = "it was not reached yet"

    async def send(self, topic: str, messages: Sequence[AcceptedRecord]) -> Positions:
        """Send and wait for all acknowledgements. Raises UnavailableError within `api_event_timeout`, and a second."""
        ends = time.monotonic() + settings().api_event_timeout
        if self._under_way + len(messages) > MAX_WAITING_MESSAGES:
            raise self._unavailable(f"{self._under_way} events wait for it already")
        self._under_way += len(messages)
        try:
            while (client := self._client) is None or topic not in self._known:
                self._request_topic(topic)
                if time.monotonic() > ends:
                    raise self._unavailable(self._fault)
                await asyncio.sleep(0.02)
            loop = asyncio.get_running_loop()
            sent = PendingRequest(loop, loop.create_future(), [None] * len(messages), threading.Lock())
            try:
                for number, (key, value) in enumerate(messages):
                    if number % YIELD_EVERY_MESSAGES == YIELD_EVERY_MESSAGES - 1:
                        await asyncio.sleep(0)  # a long list must not keep others from being answered
                    future = client.send(topic, key=key, value=value)
                    future.add_callback(
                        lambda metadata, n=number: sent.record(n, (metadata.partition, metadata.offset))
                    )
                    future.add_errback(lambda error, n=number: sent.record(n, error))
                outcomes = await asyncio.wait_for(sent.done, max(1.0, ends + 1 - time.monotonic()))
            except (KafkaError, TimeoutError, ValueError) as error:
                outcomes = [error]
            if failed := next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None):
                self._renew(client)
                raise self._unavailable(f"{type(failed).__name__}: {failed}")
            return [outcome for outcome in outcomes if isinstance(outcome, tuple)]
        finally:
            self._under_way -= len(messages)

    def stop(self) -> None:
        """Send what is under way, for a second at most, and end."""
        self._stopped.set()
        self._wake.set()
        if client := self._client:
            close_producer(client, 1)

    def _unavailable(self, why: str) -> UnavailableError:
        seconds = settings().api_event_timeout
        return UnavailableError(
            f"Kafka at {settings().kafka_bootstrap} did not acknowledge the events within {seconds:g} s ({why}). "
            "Whether they were written is not known: send them again, the same event counts once.",
            code="kafka_unavailable",
        )

    def _request_topic(self, topic: str) -> None:
        self._wanted.add(topic)
        if self._thread is None:
            self._thread = threading.Thread(target=self._connect, name="outbox", daemon=True)
            self._thread.start()
        self._wake.set()

    def _renew(self, client: KafkaProducer) -> None:
        """The next message gets a client of its own: one that has lost a batch may never find its broker again."""
        if self._client is client:
            self._client, self._known = None, set()
            # By then all that it had is acknowledged or given up, and whoever waits for it knows.
            last = settings().api_event_timeout + 1
            threading.Thread(target=close_producer, args=(client, last), name="outbox close", daemon=True).start()

    def _connect(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            self._wake.clear()
            if self._client is not None and self._wanted <= self._known:
                continue
            try:
                client = self._client or self._make_producer()
                for topic in self._wanted - self._known:
                    client.partitions_for(topic)
                    self._known |= {topic}
                self._client = client
            except (KafkaError, MillraceError, OSError) as error:
                self._fault = f"{type(error).__name__}: {error}"
                self._stopped.wait(RETRY_DELAY_S)

    def _make_producer(self) -> KafkaProducer:
        milliseconds = int(1000 * settings().api_event_timeout)
        options = common_options() | {"bootstrap_timeout_ms": min(3000, milliseconds)}
        return KafkaProducer(
            **options,
            acks="all",
            # A batch sent twice is the same events twice, which count once; a lost batch must not stop those after it.
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,
            allow_auto_create_topics=False,
            delivery_timeout_ms=milliseconds,
            request_timeout_ms=milliseconds // 2,
            max_block_ms=1000,
            reconnect_backoff_max_ms=500,
            max_request_size=MAX_MESSAGE_BYTES,
            linger_ms=LINGER_MS,
            metrics_enabled=False,
        )
