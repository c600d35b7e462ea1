"""Dead letters: read, and written by the watch over the sinks in the form of Kafka Connect's own.

Connect writes one for a message that it can't convert. A message that only the sink's writer refuses gets none from
it, and fails the task; the watch takes that message out of the sink's way and writes its dead letter here.
"""

from collections.abc import Iterator
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
class DeadLetter:
    """A message that never reached the lake, as `message` of the topic of dead letters."""

    message: Message

    @property
    def topic(self) -> bytes:
        """Where it stood, with `partition` and `offset`."""
        return self.message.headers.get(f"{HEADER_PREFIX}topic", b"")

    @property
    def partition(self) -> int:
        return int(self.message.headers[f"{HEADER_PREFIX}partition"])

    @property
    def offset(self) -> int:
        return int(self.message.headers[f"{HEADER_PREFIX}offset"])

    @property
    def is_skipped(self) -> bool:
        """Whether the watch has written it, and not Connect."""
        return SKIP_HEADER in self.message.headers

    @property
    def written_at(self) -> float:
        """Seconds since 1970."""
        return self.message.timestamp / 1000

    @property
    def context(self) -> dict[str, str]:
        """What Connect says of the message, by the names of its headers without their prefix."""
        headers = self.message.headers.items()
        return {name.removeprefix(HEADER_PREFIX): value.decode(errors="replace") for name, value in headers}


def read_dead_letters(*topics: str) -> Iterator[DeadLetter]:
    """The dead letters of records topics, the oldest first. Raises UnavailableError."""
    wanted = {topic.encode() for topic in topics}
    for message in read_all(DEAD_LETTERS):
        letter = DeadLetter(message)
        if letter.topic in wanted:
            yield letter


def find_positions(topic: str) -> set[tuple[int, int]]:
    """(partition, offset) of the messages of a records topic that have a dead letter. Raises UnavailableError."""
    return {(letter.partition, letter.offset) for letter in read_dead_letters(topic)}


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
