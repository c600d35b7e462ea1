"""A deltas topic in memory with the updaters that write it and the processes that read it, moved step by step.

Requests of a paused or cut-off updater arrive when the test says so, in whatever order; compaction drops whatever it
may. The updaters' and readers' code is the real one, without its threads.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from random import Random

from millrace.errors import MillraceError, UnavailableError
from millrace.messaging.fence import FencedError
from millrace.messaging.fenced_writer import FencedWriter, KeyedValue
from millrace.messaging.producer import Headers
from millrace.messaging.reader import Message
from millrace.online import deltas
from millrace.online.event_counts import EventCounts
from millrace.online.log_lease import LogLease, Tenure
from millrace.online.state_publisher import StatePublisher
from millrace.serving.delta_follower import DeltaFollower
from millrace.serving.overlays import Overlay, Overlays
from tests.online import made

TOPIC, MODEL = "mooc.deltas", made.MOOC.recommenders[0].name
PREFIX = deltas.version_prefix(MODEL, made.VERSION)
USERS, ITEMS = 3, 3
BEFORE = made.records(60)
LIVE = made.live_of(made.sequences(BEFORE), None)
BASE = made.base(made.arrays(BEFORE, LIVE, None), LIVE)
ARRIVED_MS = 1_600_000_000_000


class KilledError(BaseException):
    """The process was killed while it waited for an acknowledgement."""


def event(number: int) -> made.Record:
    """The events in the order in which they are posted, each newer than the snapshot."""
    chooser = Random(number)
    return made.record(chooser.randrange(USERS), chooser.randrange(ITEMS), 100_000 + number)


def count_events(number: int) -> EventCounts:
    counts = EventCounts(BASE)
    for offset in range(number):
        counts.add(event(offset), (ARRIVED_MS + offset, 0, offset))
    return counts


class World:
    """The topic, the number of events posted, requests under way, and who is alive."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.end = self.posted = 0
        self.under_way: list[list[tuple[KeyedValue, Headers]]] = []
        self.updaters: list[Updater] = []
        self.readers: list[Reader] = []

    def append(self, message: KeyedValue, headers: Headers) -> int:
        offset, self.end = self.end, self.end + 1
        self.messages.append(Message(0, offset, ARRIVED_MS + offset, *message, dict(headers)))
        return offset

    def read(self, start: int, end: int) -> list[Message]:
        return [message for message in self.messages if start <= message.offset < end]

    def arrive(self, number: int, share: float) -> None:
        """A part of a request that somebody has given up on arrives, or what is left of one."""
        if self.under_way:
            request = self.under_way.pop(number % len(self.under_way))
            for message, headers in request[: round(share * len(request))]:
                self.append(message, headers)

    def compact(self, seed: int) -> None:
        """Drop some messages with a newer one of their key, and tombstones that all who live have read."""
        chooser = Random(seed)
        newest = {message.key: message.offset for message in self.messages}
        positions = [updater.position for updater in self.updaters] + [reader.position for reader in self.readers]
        read = min(positions, default=0)
        limit = chooser.randrange(self.end + 1)
        for reader in self.readers:
            if reader.position < limit:  # of what it reads there, values may be gone that later ones have replaced
                reader.end = self.end
        self.messages = [
            message
            for message in self.messages
            if message.offset >= limit
            or chooser.random() < 0.2
            or (newest[message.key] == message.offset and (message.value is not None or message.offset >= read))
        ]


class Wire:
    """An updater's connection: log and producer in one. `mode` says what becomes of the next requests."""

    topic = TOPIC

    def __init__(self, world: World):
        self.world = world
        self.mode, self.meanwhile, self.dead = "up", None, False
        self.offsets: dict[str, dict[int, tuple[int, int]]] = {}
        self.acknowledged = 0
        self._held: list[tuple[KeyedValue, Headers]] = []

    meanwhile: Callable[[], None] | None
    """What others do while a request is under way."""

    def end(self) -> int:
        return self.world.end

    def read(self, start: int, end: int) -> Iterator[Message]:
        for number, message in enumerate(self.world.read(start, end)):
            if self.mode == "torn" and number == 2:
                raise UnavailableError("the connection broke")
            yield message

    def append(self, messages: Iterable[KeyedValue], headers: Headers) -> int:
        for key, value in messages:
            self.send(TOPIC, key, value, headers)
        self.flush()
        return self.offsets[TOPIC][0][1]

    def send(self, topic: str, key: bytes, value: bytes | None, headers: Headers = ()) -> None:
        self._held.append(((key, value), headers))

    def flush(self) -> None:
        request, self._held = self._held, []
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if self.mode == "lost" or self.dead:
            self.world.under_way.append(request)
        else:
            for message, headers in request:
                offset = self.world.append(message, headers)
                self.offsets[TOPIC] = {0: (offset, offset)}
        if self.dead:
            raise KilledError
        if self.mode != "up":
            raise UnavailableError("no acknowledgement came")

    def close(self) -> None:
        self._held = []


class Updater:
    """What `ModelFollower` and `VersionFollower` do for one version, without registry and records topic."""

    def __init__(self, world: World):
        self.world, self.wire, self.busy = world, Wire(world), False
        self.writer = FencedWriter(self.wire, MODEL)
        self.lease = LogLease(self.writer, "mooc", self._restate)
        self._tenure: Tenure | None = None
        self._publisher: StatePublisher | None = None
        self._counts = EventCounts(BASE)
        self._next = 0

    @property
    def position(self) -> int:
        return self.writer._position

    def _restate(self, keys: set[bytes]) -> None:
        if self._publisher is not None:
            self._publisher.restate(keys)

    def look(self) -> None:
        with suppress(FencedError, UnavailableError):
            self.lease.step()

    def publish(self, heartbeat: bool = True) -> None:
        if self.lease.tenure is not self._tenure:
            self._tenure, self._counts, self._next = self.lease.tenure, EventCounts(BASE), 0
            self._publisher = None
            if self._tenure is not None:
                read = self.wire.read
                self._publisher = StatePublisher(
                    self._counts, self._tenure, lambda: self.wire, lambda topic: read(0, self.world.end)
                )
        if self._publisher is None or (claim := self._publisher.claim) is None:
            return
        for offset in range(self._next, self.world.posted):
            self._counts.add(event(offset), (ARRIVED_MS + offset, 0, offset))
        self._next = self.world.posted
        try:
            self._publisher.publish(claim, self._watermark, popular=True, heartbeat=heartbeat)
        except MillraceError:
            self._publisher.close()

    def _watermark(self) -> KeyedValue:
        key, value = deltas.watermark_message(
            PREFIX, format=deltas.DELTA_FORMAT, offsets={"0": self._next}, at=float(self._next), error=None
        )
        return key.encode(), value


class Reader:
    """An API process."""

    def __init__(self, world: World):
        self.world, self.position, self.end = world, 0, world.end
        self.overlays = Overlays([MODEL])
        self._follower = DeltaFollower({"mooc": self.overlays})

    def read(self, count: int | None = None) -> None:
        for message in self.world.read(self.position, self.world.end)[:count]:
            self._follower._apply(TOPIC, self.overlays, message)
            self.position = message.offset + 1
        if count is None:
            self.position = self.world.end

    @property
    def overlay(self) -> Overlay:
        return self.overlays.get(MODEL, made.VERSION)

    @property
    def claims_to_know(self) -> int | None:
        """How many events it says are in; None where it says nothing, or reads behind a compaction as after a start."""
        overlay = self.overlay
        if self.position < self.end or overlay.unsettled or overlay.doubts:
            return None
        return overlay.watermark.get("offsets", {}).get("0")


State = tuple[dict[str, list[int | str]], dict[tuple[int, int], int], dict[int, tuple[int, ...]]]


def state_of(overlay: Overlay) -> State:
    """Users' items, cells that are not zero, and counts of items."""
    cells = {(row, item): units for row, added in overlay.rows.items() for item, units in added.items() if units}
    items, counts = overlay.popular if overlay.popular is not None else ([], [])
    popular = {int(item): tuple(int(part[index]) for part in counts) for index, item in enumerate(items)}
    return dict(overlay.users), cells, popular


@cache
def expected_state(number: int) -> State:
    """Of the first events, by what a single updater publishes to a single reader."""
    overlays = Overlays([MODEL])
    for key, value in count_events(number).messages():
        overlays.apply(key, value, 0)
    return state_of(overlays.get(MODEL, made.VERSION))


def contains(larger: State, smaller: State) -> bool:
    """Whether a state has all that another one has; counts only grow, as events come in order."""
    users = all(larger[0].get(user, [])[: len(items)] == items for user, items in smaller[0].items())
    cells = all(larger[1].get(cell, 0) >= units for cell, units in smaller[1].items())
    return users and cells and all(larger[2].get(item, (0, 0)) >= counts for item, counts in smaller[2].items())
