"""Epochs in a compacted topic of one partition: which of its messages count, decided by the order of its log alone.

A writer appends a claim. The claim's offset + 1 is the writer's epoch, which each of its messages carries in a header.
A message counts if no later claim precedes it. So every reader decides alike, and passes over what a writer that was
paused or cut off still sends, however late it comes: no lease can stop what is on the wire. The claim is the newest
message of its key, which compaction keeps.

Passing a message over is not enough: compaction keeps it, and drops the one that counted before it under the same key.
So the current writer follows the topic and publishes again what was overwritten (millrace.messaging.fenced_writer).

A topic may have several scopes, each with its own writer: the keys of one begin with `<scope>/`. The scope "" is a
whole topic. Messages of releases before epochs have no header: they are of epoch 0, and count until there is a claim.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from millrace.errors import ConflictError
from millrace.messaging.producer import Headers
from millrace.messaging.reader import Message, read_all

EPOCH_HEADER = "epoch"
CLAIM, HEARTBEAT = "writer", "alive"
"""Last parts of the keys of a scope that are the writers' own."""


class FencedError(ConflictError):
    """Another writer has claimed the topic since; what this one sends does not count any more."""

    code = "fenced"


class Standing(Enum):
    """What a message is to its readers."""

    CLAIM = "a new writer begins"
    CURRENT = "it counts"
    STALE = "its writer had been replaced before it came"


def read_epoch(message: Message) -> int:
    """The epoch that a message names, 0 where it names none."""
    try:
        return int(message.headers.get(EPOCH_HEADER, b"0"))
    except ValueError:
        return 0


class Fence:
    """The writers of one scope, for whoever reads the topic in order from its beginning."""

    def __init__(self, scope: str = ""):
        self.prefix = f"{scope}/".encode() if scope else b""
        self.claim_key, self.heartbeat_key = self.prefix + CLAIM.encode(), self.prefix + HEARTBEAT.encode()
        self.epoch = 0
        """Of the newest writer that is known of."""

    def covers(self, key: bytes | None) -> bool:
        """Whether a key is of this scope."""
        return key is not None and key.startswith(self.prefix)

    def is_control(self, key: bytes | None) -> bool:
        """Whether a key is the writers' own, and none of the state."""
        return key in (self.claim_key, self.heartbeat_key)

    def judge(self, message: Message) -> Standing:
        """What the next message of the scope is; messages are given in the order of the log."""
        if message.key == self.claim_key and message.value is not None:
            self.epoch = message.offset + 1
            return Standing.CLAIM
        epoch = read_epoch(message)
        # An epoch above the offset is of a topic of the same name that is no more. One above the known epoch is of a
        # claim that compaction has taken away, since a later one follows.
        if not self.epoch <= epoch <= message.offset:
            return Standing.STALE
        self.epoch = epoch
        return Standing.CURRENT


@dataclass(frozen=True)
class Claim:
    """A writer's claim: its epoch, the epoch before, and up to where the log had been read when it was made."""

    topic: str
    scope: str
    epoch: int
    previous: int
    read_to: int

    @property
    def headers(self) -> Headers:
        """What all messages of this writer carry."""
        return [(EPOCH_HEADER, str(self.epoch).encode())]

    def is_certain(self, message: Message) -> bool:
        """Whether all readers take a message for one that counts, where the previous writer had settled its state.

        That writer has looked through all that came before it. Claims that came between `read_to` and this one may be
        compacted away: nothing is certain there.
        """
        if message.offset >= self.epoch:
            return read_epoch(message) == self.epoch
        if message.offset >= self.read_to:
            return False
        return message.offset < self.previous or read_epoch(message) == self.previous

    def is_settled_by(self, message: Message) -> bool:
        """Whether a message counts and is of this writer, or of the one before."""
        return self.is_certain(message) and read_epoch(message) in {self.epoch, self.previous} - {0}


def read_published(
    messages: Iterable[Message],
    claim: Claim,
    prefix: bytes,
    mark: bytes | None = None,
    is_whole: Callable[[bytes], bool] = bool,
) -> dict[bytes, int]:
    """The hash of what every reader has of each key with a prefix; 0 where readers may differ.

    `mark` is the key that writers publish behind a whole state, which is one whose value `is_whole`: without one that
    can be trusted nothing is certain. A key that is missing was never published, or taken back for all.
    """
    fence = Fence(claim.scope)
    hashes: dict[bytes, int] = {}
    taken_back: set[bytes] = set()
    newest_mark = None
    for message in messages:
        key = message.key
        if key == mark:
            newest_mark = message
            continue
        if key is None or not key.startswith(prefix) or fence.is_control(key):
            continue
        certain = claim.is_certain(message)
        hashes[key] = hash_value(message.value) if certain and message.value is not None else 0
        (taken_back.add if certain and message.value is None else taken_back.discard)(key)
    settled = newest_mark is not None and claim.is_settled_by(newest_mark) and is_whole(newest_mark.value or b"")
    if not settled:
        return dict.fromkeys(hashes, 0)
    return {key: value for key, value in hashes.items() if key not in taken_back}


def hash_value(value: bytes) -> int:
    """A hash of this process for a value, never 0."""
    return hash(value) or 1


def read_current(topic: str, scope: str = "") -> Iterator[Message]:
    """The messages of a scope that count, without the writers' own, from the topic's beginning to its end now.

    Raises UnavailableError when none come.
    """
    fence = Fence(scope)
    for message in read_all(topic):
        if fence.covers(message.key) and fence.judge(message) is Standing.CURRENT and not fence.is_control(message.key):
            yield message
