"""The events since a version's snapshot, folded into what they add to it: whole numbers, the same in every order."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from millrace.online import deltas
from millrace.online.recent_events import Arrival, RecentEvents, TailEvent
from millrace.recommend.live_arrays import SEEN_ARRAY, LiveParameters
from millrace.recommend.markov import MAX_STEPS_AHEAD
from millrace.records.identity import contains, record_hash
from millrace.records.times import plausible_seconds
from millrace.registry.manifest import Manifest
from millrace.runtime.text_arrays import TextArray, text_array_names
from millrace.workloads.base import ANONYMOUS, RecommenderModel, Workload

NEEDED_ARRAYS = ("history_starts", "history_items", *text_array_names("users"), *text_array_names("item_ids"))


@dataclass(frozen=True)
class VersionBase:
    """What the fold reads of a version: `histories` by user, `items` their numbers by id, `seen` the hashes."""

    workload: Workload
    model: RecommenderModel
    version: str
    live: LiveParameters
    items: Mapping[str, int]
    users: TextArray
    starts: np.ndarray
    flat: np.ndarray
    seen: np.ndarray

    @classmethod
    def from_version(
        cls, workload: Workload, model: RecommenderModel, manifest: Manifest, arrays: Mapping[str, np.ndarray]
    ) -> "VersionBase":
        items = {item: number for number, item in enumerate(TextArray.from_arrays(arrays, "item_ids"))}
        seen = arrays.get(SEEN_ARRAY, np.empty(0, np.uint64))
        return cls(
            workload,
            model,
            manifest.version,
            LiveParameters.from_manifest(manifest.parameters),
            items,
            TextArray.from_arrays(arrays, "users"),
            arrays["history_starts"],
            arrays["history_items"],
            seen,
        )

    def newest(self, user: str) -> list[int]:
        """The last items of the user's history, oldest first."""
        index = self.users.find(user)
        if index is None:
            return []
        end = int(self.starts[index + 1])
        return self.flat[max(int(self.starts[index]), end - MAX_STEPS_AHEAD) : end].tolist()


class EventCounts:
    """`add` events in any order; `messages` gives what has changed since the last time."""

    def __init__(self, base: VersionBase):
        self.base = base
        self.accepted = 0
        """Events that count; `repeated` were seen before, `unlinked` name an item that the version does not know."""
        self.repeated = 0
        self.unlinked = 0
        self.tails: dict[str, RecentEvents] = {}
        self.columns: dict[tuple[int, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        """(item, block of rows) -> row -> units that were added to the transitions from row to item."""
        self.popular: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        """Item -> events in popularity's window, and events at all."""
        self._events: dict[int, tuple[str, TailEvent]] = {}
        self._changed: set[tuple[str, Any]] = set()

    def add(self, record: Mapping[str, Any], arrival: Arrival, silent: bool = False) -> bool:
        """Whether a checked record is an event that was not there yet. A `silent` one is not given as a message."""
        key = record_hash(record, self.base.workload.identity)
        known = self._events.get(key)
        if known is None and contains(self.base.seen, key):
            self.repeated += 1
            return False
        if known is not None:
            self.repeated += 1
            # Of the same events the one counts that came first, which is not always the one that is read first.
            if arrival < known[1].arrival:
                at = plausible_seconds(record[self.base.model.time], arrival[0])
                user, event = known[0], known[1]._replace(arrival=arrival, at=at)
                self._events[key] = user, event
                self._replace_event(user, event, known[1], silent)
            return False
        model = self.base.model
        user = record[model.user]
        if user is None:
            user = ANONYMOUS + (str(record[model.session]) if model.session else "")
        item = self.base.items.get(record[model.item], record[model.item])
        self.unlinked += isinstance(item, str)
        event = TailEvent(arrival, item, plausible_seconds(record[model.time], arrival[0]))
        self._events[key] = user, event
        self.accepted += 1
        self._replace_event(user, event, None, silent)
        return True

    def _replace_event(self, user: str, event: TailEvent, instead_of: TailEvent | None, silent: bool) -> None:
        tail = self.tails.get(user)
        if tail is None:
            tail = self.tails[user] = RecentEvents([] if user.startswith(ANONYMOUS) else self.base.newest(user))
        first, old = tail.add(event, instead_of)
        new = tail.sequence
        if old:
            tail.sequence = new[:first] + old
            self._count(tail, first, -1, silent)
            tail.sequence = new
        self._count(tail, first, 1, silent)
        if not silent and not user.startswith(ANONYMOUS):
            self._changed.add(("user", user))

    def _count(self, tail: RecentEvents, first: int, sign: int, silent: bool) -> None:
        """Add, or take away, what the events from a place of the sequence on say."""
        linked = self.base.live.share is not None
        for index in range(first, len(tail.sequence)):
            event = tail.sequence[index]
            if isinstance(event.item, str):
                continue
            self._popular(event.item, event.time, sign)
            units = self.base.live.units(event.time)
            for distance, before in enumerate(tail.items_before(index) if linked else (), start=1):
                if isinstance(before, str):
                    continue
                block = before // deltas.BLOCK_ITEMS
                self.columns[event.item, block][before] += sign * round(units / distance)
                if not silent:
                    self._changed.add(("column", (event.item, block)))

    def _popular(self, item: int, time: float | None, sign: int) -> None:
        counts, since = self.popular[item], self.base.live.since
        # One without a time has come after the snapshot, and so within the window.
        counts[0] += sign * (since is None or time is None or time > since)
        counts[1] += sign
        # Also when silent: the order is published less often than the watermark, and a process may end in between.
        self._changed.add(("popular", item // deltas.POPULAR_BLOCK_ITEMS))

    @property
    def changed(self) -> bool:
        """Whether there is more to publish than popularity, which has time."""
        return any(kind != "popular" for kind, _ in self._changed)

    def messages(self, popular: bool = True) -> Iterator[tuple[str, bytes]]:
        """Key and value of all that has changed since it was `settled`, with popularity where it is wanted."""
        prefix = deltas.version_prefix(self.base.model.name, self.base.version)
        for kind, what in self._changed:
            if kind == "user":
                yield deltas.user_message(
                    prefix, what, [one.item for one in self.tails[what].sequence[-deltas.MAX_TAIL_ITEMS :]]
                )
            elif kind == "column":
                item, block = what
                yield deltas.column_message(prefix, item, block, self.columns[what])
        if popular:
            yield from self._popularity_messages(prefix)

    def _popularity_messages(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        blocks: dict[int, dict[int, list[int]]] = {block: {} for kind, block in self._changed if kind == "popular"}
        for item, counts in self.popular.items():
            if (block := item // deltas.POPULAR_BLOCK_ITEMS) in blocks:
                blocks[block][item] = counts
        for block, counts_of_block in blocks.items():
            yield deltas.popularity_message(prefix, block, counts_of_block)

    def mark_changed(self, kind: str, name: str) -> bool:
        """Give the message of a key once more; False where nothing was counted under it."""
        if kind == "user":
            what: Any = name
            there = name in self.tails and not name.startswith(ANONYMOUS)
        elif kind == "column":
            numbers = name.split(".")
            what = tuple(int(number) for number in numbers if number.isdecimal())
            there = len(numbers) == 2 and what in self.columns
        else:
            what = int(name) if kind == "popular" and name.isdecimal() else -1
            there = any(item // deltas.POPULAR_BLOCK_ITEMS == what for item in self.popular)
        if there:
            self._changed.add((kind, what))
        return there

    def mark_published(self, popular: bool = True) -> None:
        """The messages have arrived where they should."""
        self._changed = {one for one in self._changed if one[0] == "popular" and not popular}
