"""Producers: idempotent, acknowledged by all replicas, bounded in memory, with every failure noticed.

Both clients keep the order of a key, retry through a broker's restart and give up with an error after
`4 * kafka_timeout` seconds. `acknowledged` counts what Kafka has confirmed, and `offsets` holds the range it got.
"""

import re
from collections.abc import Sequence
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError

from millrace.errors import BadInputError, MillraceError, TooLargeError, UnavailableError
from millrace.messaging.client import close_producer, common_options, translate_errors
from millrace.messaging.topics import MAX_MESSAGE_BYTES
from millrace.settings import settings

SIZE_REFUSED = re.compile("MessageSizeTooLarge|RecordListTooLarge|MSG_SIZE_TOO_LARGE|RECORD_LIST_TOO_LARGE")
"""How both clients name what is wrong with the size of a message, and not with the brokers."""

MAX_UNACKNOWLEDGED = 10_000  # messages that may wait for their acknowledgement; bounds the memory of a fast reader


Headers = Sequence[tuple[str, bytes]]
"""Names and values that go with a message; a tombstone has them too."""


class Producer(Protocol):
    """What an ingest needs of a Kafka client."""

    acknowledged: int
    offsets: dict[str, dict[int, tuple[int, int]]]
    """topic -> partition -> (first, last) offset that was acknowledged."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Raises TooLargeError for a message that no broker takes, UnavailableError for brokers that take none."""
        ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


def make_producer() -> Producer:
    """The producer that the setting `kafka_client` names."""
    if settings().kafka_client == "kafka-python":
        return KafkaPythonProducer()
    try:
        from millrace.messaging.confluent_producer import ConfluentProducer
    except ImportError:
        raise BadInputError(
            "MILLRACE_KAFKA_CLIENT=confluent-kafka needs the extra `fast`: pip install 'millrace[fast]'.",
            code="bad_setting",
            field="kafka_client",
        ) from None
    return ConfluentProducer()


def size_error(reason: str) -> TooLargeError:
    """The error for a message that is refused for its size, which no other try changes."""
    return TooLargeError(
        f"Kafka refuses a message for its size ({reason}); allowed: {MAX_MESSAGE_BYTES:,} bytes, and what the topic's "
        "max.message.bytes says.",
        code="message_too_large",
        allowed=f"{MAX_MESSAGE_BYTES} bytes",
    )


def delivery_error(error: object) -> MillraceError:
    """The error for a record that was refused for its size, or not acknowledged in time."""
    if SIZE_REFUSED.search(f"{type(error).__name__} {error}"):
        return size_error(str(error))
    seconds = 4 * settings().kafka_timeout
    return UnavailableError(
        f"Kafka at {settings().kafka_bootstrap} did not acknowledge a record within {seconds:g} s ({error}). "
        "What was acknowledged is safe; run the same command again to send the rest.",
        code="kafka_unavailable",
    )


def widen_range(ranges: dict[int, tuple[int, int]], partition: int, offset: int) -> None:
    """Take an offset into the (first, last) of its partition."""
    first, last = ranges.get(partition, (offset, offset))
    ranges[partition] = min(first, offset), max(last, offset)


class KafkaPythonProducer:
    """kafka-python. Its futures are kept in two generations: while one fills, the other is being acknowledged."""

    def __init__(self) -> None:
        with translate_errors():
            self._client = KafkaProducer(
                **common_options(),
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                delivery_timeout_ms=int(4000 * settings().kafka_timeout),
                request_timeout_ms=int(1000 * settings().kafka_timeout),
                max_block_ms=int(4000 * settings().kafka_timeout),
                reconnect_backoff_max_ms=1000,
                max_request_size=MAX_MESSAGE_BYTES,
                batch_size=131_072,
                linger_ms=20,
                metrics_enabled=False,
            )
        self.acknowledged = 0
        self.offsets: dict[str, dict[int, tuple[int, int]]] = {}
        self._filling: list[tuple[str, Any]] = []
        self._waiting: list[tuple[str, Any]] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        with translate_errors():
            try:
                future = self._client.send(topic, key=key, value=value, headers=list(headers))
            except MessageSizeTooLargeError as error:
                raise size_error(f"{topic}: {error}") from error
        self._filling.append((topic, future))
        if len(self._filling) >= MAX_UNACKNOWLEDGED // 2:
            self._settle()
            self._filling, self._waiting = [], self._filling

    def _settle(self) -> None:
        for topic, future in self._waiting:
            try:
                metadata = future.get(timeout=5 * settings().kafka_timeout)
            except Exception as error:
                raise delivery_error(error) from error
            self.acknowledged += 1
            widen_range(self.offsets.setdefault(topic, {}), metadata.partition, metadata.offset)
        self._waiting = []

    def flush(self) -> None:
        self._settle()
        self._waiting, self._filling = self._filling, []
        self._settle()

    def close(self) -> None:
        close_producer(self._client, 5)
