"""The one way to publish absolute state to a compacted topic: claimed, fenced, and mended where it was overwritten."""

import os
import socket
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import orjson

from millrace.errors import MillraceError, UnavailableError
from millrace.messaging.client import translate_errors
from millrace.messaging.fence import Claim, Fence, FencedError, Standing
from millrace.messaging.producer import Headers, Producer, make_producer
from millrace.messaging.reader import Message, TopicPartition, TopicReader, make_reader

KeyedValue = tuple[bytes, bytes | None]
"""Key and value of a message; None takes the key back."""


class StateLog(Protocol):
    """A compacted topic of one partition."""

    topic: str

    def end(self) -> int:
        """The next offset."""
        ...

    def read(self, start: int, end: int) -> Iterator[Message]:
        """What is left of the messages from `start` up to `end`."""
        ...

    def append(self, messages: Iterable[KeyedValue], headers: Headers) -> int:
        """The offset of the last message, once all are acknowledged; -1 where there was none."""
        ...

    def close(self) -> None:
        """Leave the brokers."""
        ...


class TopicLog:
    """A topic of the brokers. Its clients are made when they are needed, and anew after an error."""

    def __init__(self, topic: str):
        self.topic = topic
        self._part = TopicPartition(topic, 0)
        self._reader: TopicReader | None = None
        self._producer: Producer | None = None

    def end(self) -> int:
        with self._unbroken(), translate_errors():
            reader = self._open_reader()
            if self._part not in reader.partitions(self.topic):
                raise UnavailableError(
                    f"Kafka has no topic {self.topic}; `millrace up` makes it, or `millrace provision` elsewhere.",
                    code="topic_missing",
                )
            return reader.end_offsets([self._part])[self._part]

    def read(self, start: int, end: int) -> Iterator[Message]:
        with self._unbroken(), translate_errors():
            yield from self._open_reader().read({self._part: start}, {self._part: end})

    def append(self, messages: Iterable[KeyedValue], headers: Headers) -> int:
        with self._unbroken():
            producer = self._producer = self._producer or make_producer()
            producer.offsets.pop(self.topic, None)  # what it had before may be of a topic that was recreated
            for key, value in messages:
                producer.send(self.topic, key, value, headers)
            producer.flush()
            return producer.offsets.get(self.topic, {0: (0, -1)})[0][1]

    def _open_reader(self) -> TopicReader:
        self._reader = self._reader or make_reader(auto_offset_reset="earliest")
        return self._reader

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        try:
            yield
        except GeneratorExit:
            raise
        except BaseException:
            with suppress(MillraceError):
                self.close()
            raise

    def close(self) -> None:
        reader, producer, self._reader, self._producer = self._reader, self._producer, None, None
        if reader is not None:
            reader.close()
        if producer is not None:
            producer.close()


class FencedWriter:
    """Follows the log of a scope, claims it, and finds what messages that do not count have overwritten.

    A send that failed may still arrive, behind a later one: a writer that goes on after it has to `renew` its claim.
    """

    def __init__(self, log: StateLog, scope: str = ""):
        self.claim: Claim | None = None
        self.heard = False
        """Whether `catch_up` has read anything that counts, this writer's own included. The caller resets it."""
        self.holder: str | None = None
        """The writer that has the scope; None where it has given it back, or there was none yet."""
        self._log, self._scope = log, scope
        self._id = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._fence, self._position = Fence(scope), 0
        self.heartbeat_key = self._fence.heartbeat_key
        self._since = 0  # where what is overwritten begins to be this writer's business: its first claim
        self._overwritten: set[bytes] = set()
        self._fenced: str | None = None

    def catch_up(self) -> None:
        """Read to the end of the log.

        Raises FencedError when another writer has claimed the scope since, or the topic was recreated; then there is no
        claim any more. Raises UnavailableError.
        """
        end = self._log.end()
        if end < self._position:
            self._fence, self._position, self.holder = Fence(self._scope), 0, None
            self._fenced = f"{self._log.topic} was recreated"
        for message in self._log.read(self._position, end):
            self._take(message)
            self._position = message.offset + 1
        self._position = end
        if self._fenced is not None and self.claim is not None:
            self.claim = None
            raise FencedError(f"{self._fenced}; this process publishes nothing there any more.")

    def _take(self, message: Message) -> None:
        fence = self._fence
        if not fence.covers(message.key):
            return
        standing = fence.judge(message)
        if standing is not Standing.STALE:
            self._hear(message, standing)
        if self.claim is None or message.offset < self._since:
            return
        if message.key == fence.claim_key:
            # A release without epochs takes claims back, as it does with all keys that it does not know; and a claim of
            # this writer's that was given up on may still arrive, behind the one that it goes by.
            if message.value != self._id.encode() or message.offset >= self.claim.epoch:
                self._fenced = f"{self._log.topic} has another writer: {self.holder or 'one of an earlier release'}"
        elif standing is Standing.STALE and message.key is not None and not fence.is_control(message.key):
            self._overwritten.add(message.key)

    def _hear(self, message: Message, standing: Standing) -> None:
        self.heard = True
        if standing is Standing.CLAIM:
            self.holder = (message.value or b"").decode("utf-8", "replace")
        elif message.key == self._fence.heartbeat_key and message.value is not None:
            self.holder = orjson.loads(message.value).get("writer")

    def take_overwritten(self) -> set[bytes]:
        """The keys that were overwritten since the first claim, each once: they must be published again."""
        overwritten, self._overwritten = self._overwritten, set()
        return overwritten

    def take_over(self) -> Claim:
        """Claim the scope, whoever has it. `catch_up` comes first. Raises UnavailableError."""
        claim = self._append_claim()
        self._since, self._overwritten, self._fenced = claim.epoch, set(), None
        return claim

    def renew(self) -> Claim:
        """A claim in the place of this writer's own. What was overwritten up to it is known afterwards.

        Raises FencedError where another writer has claimed the scope, UnavailableError.
        """
        self.catch_up()
        self._append_claim()
        self.catch_up()
        if self.claim is None:
            raise FencedError(f"{self._log.topic} is not claimed by this process.")
        return self.claim

    def _append_claim(self) -> Claim:
        previous, read_to = self._fence.epoch, self._position
        offset = self._log.append([(self._fence.claim_key, self._id.encode())], [])
        self.claim = Claim(self._log.topic, self._scope, offset + 1, previous, read_to)
        return self.claim

    def send(self, messages: Iterable[KeyedValue]) -> None:
        """Publish under the claim; returns when all are acknowledged. Raises FencedError without a claim."""
        if self.claim is None:
            raise FencedError(f"{self._log.topic} is not claimed by this process.")
        self._log.append(messages, self.claim.headers)

    def send_heartbeat(self, active: bool = True) -> None:
        """Say that this writer is alive, or that it ends and the next need not wait."""
        value = orjson.dumps({"writer": self._id if active else None})
        self.send([(self.heartbeat_key, value)])

    def close(self) -> None:
        """Leave the brokers. The claim stands until another writer makes one."""
        self._log.close()
