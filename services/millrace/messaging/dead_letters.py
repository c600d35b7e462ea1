"""Dead letters that the watch over the sinks writes, in the form of Kafka Connect's own.

Connect writes one for a message that it can't convert. A message that only the sink's writer refuses gets none from
it, and fails the task; the watch takes that message out of the sink's way and writes its dead letter here.
"""

from dataclasses import dataclass

from millrace.messaging.producer import Producer
from millrace.messaging.reader import Message, read_all
from millrace.messaging.topics import DEAD_LETTERS

HEADER_PREFIX = "__connect.errors."
SKIP_HEADER = "millrace.skipped"
"""Only dead letters of the watch have it; Connect's own don't count against its limit."""

MAX_VALUE_BYTES = 900_000
"""A broker's own limit of a message is 1 MB, that of a records topic is higher: a longer value is cut, and its cause
says so. One that could not be written would keep its sink stopped."""


@dataclass(frozen=True)
class SkippedRecord:
    """A message that was skipped: where it stood, and when its dead letter was written, in seconds since 1970."""

    partition: int
    offset: int
    written_at: float


def find_positions(topic: str) -> set[tuple[int, int]]:
    """(partition, offset) of the messages of a records topic that have a dead letter. Raises UnavailableError."""
    return {
        (int(message.headers[f"{HEADER_PREFIX}partition"]), int(message.headers[f"{HEADER_PREFIX}offset"]))
        for message in read_all(DEAD_LETTERS)
        if message.headers.get(f"{HEADER_PREFIX}topic") == topic.encode()
    }


def list_skipped(topic: str) -> list[SkippedRecord]:
    """The messages of a records topic that the watch has skipped and that are still among the dead letters."""
    return [
        SkippedRecord(
            int(message.headers[f"{HEADER_PREFIX}partition"]),
            int(message.headers[f"{HEADER_PREFIX}offset"]),
            message.timestamp / 1000,
        )
        for message in read_all(DEAD_LETTERS)
        if SKIP_HEADER in message.headers and message.headers.get(f"{HEADER_PREFIX}topic") == topic.encode()
    ]


def write_skipped(producer: Producer, topic: str, message: Message, connector: str, cause: str) -> None:
    """Write the dead letter of a message of `topic`; it is acknowledged on return. Raises UnavailableError."""
    value = message.value
    if value and len(value) > MAX_VALUE_BYTES:
        cause, value = f"{cause} (shown are {MAX_VALUE_BYTES} of {len(value)} bytes)", value[:MAX_VALUE_BYTES]
    context = {
        "topic": topic,
        "partition": str(message.partition),
        "offset": str(message.offset),
        "connector.name": connector,
        "stage": "TASK_PUT",
        "exception.message": cause,
    }
    headers = [(f"{HEADER_PREFIX}{name}", text.encode()) for name, text in context.items()]
    producer.send(DEAD_LETTERS, message.key, value, [*headers, (SKIP_HEADER, b"1")])
    producer.flush()
