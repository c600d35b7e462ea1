"""The clients: posters that send events and repeat what was not acknowledged, readers that ask; all of it recorded."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from millrace.prove.history import Json, Recorder, Reply

USERS_PER_POSTER = 4
"""Users whose events a poster sends in turn."""
EVENTS_PER_USER = 20
"""After so many another user takes the slot: histories stay short enough to be read in a certificate."""
MAX_EVENTS_PER_POST = 4
POST_PAUSE_S, READ_PAUSE_S = (0.05, 0.3), (0.03, 0.2)
RETRY_DELAY_S = 0.5
REPEAT_SHARE, INVALID_SHARE = 0.1, 0.03
"""Of the posts: those that send again what was acknowledged, and those that no API may accept."""


class Api(Protocol):
    """What clients ask. Each call is a request of its own, and returns whatever comes back."""

    def post(self, events: list[dict[str, Json]]) -> Reply: ...

    def history(self, user: str) -> Reply: ...

    def recommendations(self, user: str) -> Reply: ...

    def ready(self) -> Reply: ...


class Gate:
    """Lets posts through; `hold` keeps new ones back and waits for those under way."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._under_way, self._holders = 0, 0

    @contextmanager
    def passing(self) -> Iterator[None]:
        """A post."""
        with self._condition:
            self._condition.wait_for(lambda: not self._holders)
            self._under_way += 1
        try:
            yield
        finally:
            with self._condition:
                self._under_way -= 1
                self._condition.notify_all()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """No post is under way while the block runs."""
        with self._condition:
            self._holders += 1
        try:
            with self._condition:
                self._condition.wait_for(lambda: not self._under_way)
            yield
        finally:
            with self._condition:
                self._holders -= 1
                self._condition.notify_all()


class Roster:
    """The users that have events, known to all clients."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: list[str] = []

    def add(self, user: str) -> None:
        with self._lock:
            self._users.append(user)

    def list_users(self) -> list[str]:
        with self._lock:
            return list(self._users)


class Poster(threading.Thread):
    """Sends its users' events one after another; each until it is acknowledged, refused, or time is up."""

    def __init__(
        self, number: int, seed: int, items: Sequence[str], api: Api, recorder: Recorder, gate: Gate, roster: Roster
    ):
        super().__init__(name=f"poster-{number}", daemon=True)
        self._number, self._items = number, list(items)
        self._api, self._recorder, self._gate, self._roster = api, recorder, gate, roster
        self._dice = random.Random(f"poster {seed} {number}")
        self._users = [self._make_user(index) for index in range(USERS_PER_POSTER)]
        self._last_at = datetime.now(UTC)
        self._acknowledged: list[dict[str, Json]] = []
        self.stopping, self.giving_up = threading.Event(), threading.Event()
        """After `stopping` nothing new is sent; what is not acknowledged yet is sent again until `giving_up`."""

    def _make_user(self, index: int) -> tuple[str, list[str]]:
        """An id that nobody had before, and the items that the user will take, each once."""
        count = min(EVENTS_PER_USER, len(self._items))
        return f"prove-{self._number}-{index}", self._dice.sample(self._items, count)

    def run(self) -> None:
        made = USERS_PER_POSTER
        while not self.stopping.is_set():
            index = self._dice.randrange(len(self._users))
            user, items = self._users[index]
            if not items:
                self._users[index] = self._make_user(made)
                made += 1
                continue
            self._step(user, items)
            self.stopping.wait(self._dice.uniform(*POST_PAUSE_S))

    def _step(self, user: str, items: list[str]) -> None:
        dice = self._dice.random()
        if dice < INVALID_SHARE:
            self._send("invalid", user, [{"user_id": user, "course_id": ""}])
        elif dice < INVALID_SHARE + REPEAT_SHARE and self._acknowledged:
            event = self._dice.choice(self._acknowledged)
            self._send("post", event["user_id"], [event])
        else:
            count = self._dice.randint(1, min(MAX_EVENTS_PER_POST, len(items)))
            events = [self._make_event(user, items.pop()) for _ in range(count)]
            self._roster.add(user)
            while self._send("post", user, events).outcome == "unknown" and not self.giving_up.wait(RETRY_DELAY_S):
                pass

    def _make_event(self, user: str, item: str) -> dict[str, Json]:
        """An event with a later time than all before it."""
        self._last_at = max(self._last_at + timedelta(microseconds=1), datetime.now(UTC))
        at = self._last_at.isoformat(timespec="microseconds")
        return {"user_id": user, "course_id": item, "enrolled_at": at, "event_id": f"{user}/{item}"}

    def _send(self, action: str, user: str, events: list[dict[str, Json]]) -> Reply:
        with self._gate.passing():
            reply = self._recorder.perform(self.name, action, user, events, lambda: self._api.post(events))
        if action == "post" and reply.outcome == "done":
            self._acknowledged += events
            del self._acknowledged[:-100]
        return reply


class Reader(threading.Thread):
    """Asks for histories and recommendations of users, and whether the API is ready."""

    def __init__(self, number: int, seed: int, api: Api, recorder: Recorder, roster: Roster):
        super().__init__(name=f"reader-{number}", daemon=True)
        self._api, self._recorder, self._roster = api, recorder, roster
        self._dice = random.Random(f"reader {seed} {number}")
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            users = self._roster.list_users()
            if users:
                # Users of the last minute are asked for more often: their events may be missing still.
                self._ask(self._dice.choice(users[-40:] if self._dice.random() < 0.8 else users))
            self.stopping.wait(self._dice.uniform(*READ_PAUSE_S))

    def _ask(self, user: str) -> None:
        calls: dict[str, Callable[[], Reply]] = {
            "history": lambda: self._api.history(user),
            "recommendations": lambda: self._api.recommendations(user),
            "ready": self._api.ready,
        }
        action = self._dice.choices(list(calls), (6, 3, 1))[0]
        self._recorder.perform(self.name, action, user, None, calls[action])


class Traffic:
    """All clients of a run."""

    def __init__(
        self, seed: int, items: Sequence[str], api: Api, recorder: Recorder, posters: int = 3, readers: int = 2
    ):
        self.gate, self.roster = Gate(), Roster()
        self._posters = [
            Poster(number, seed, items, api, recorder, self.gate, self.roster) for number in range(posters)
        ]
        self._readers = [Reader(number, seed, api, recorder, self.roster) for number in range(readers)]

    def start(self) -> None:
        """Let them begin."""
        for client in (*self._posters, *self._readers):
            client.start()

    def stop_posting(self, patience_s: float) -> None:
        """Send nothing new; what is not acknowledged after `patience_s` seconds is given up."""
        for poster in self._posters:
            poster.stopping.set()
        deadline = time.monotonic() + patience_s
        for poster in self._posters:
            if poster.ident is not None:
                poster.join(max(0.0, deadline - time.monotonic()))
        for poster in self._posters:
            poster.giving_up.set()

    def stop(self, timeout_s: float = 60) -> None:
        """End all of them."""
        for reader in self._readers:
            reader.stopping.set()
        self.stop_posting(0)
        for client in (*self._posters, *self._readers):
            if client.ident is not None:
                client.join(timeout_s)
