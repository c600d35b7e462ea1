"""Clients against an API in memory: what they send, repeat and record."""

import io
import threading
import time
from collections import defaultdict

from millrace.prove.history import History, Recorder, Reply
from millrace.prove.traffic import EVENTS_PER_USER, Gate, Poster, Roster, Traffic
from tests.waiting import until

ITEMS = [f"C{number}" for number in range(40)]


class MemoryApi:
    """Takes events; each third post is not acknowledged, and half of those are taken all the same."""

    def __init__(self):
        self.lock, self.calls = threading.Lock(), 0
        self.taken: dict[str, list[str]] = defaultdict(list)
        self.times: dict[str, list[str]] = defaultdict(list)

    def post(self, events):
        with self.lock:
            self.calls += 1
            if not events[0]["course_id"]:
                return Reply(422)
            if self.calls % 3 or self.calls % 2:
                for event in events:
                    if event["course_id"] not in self.taken[event["user_id"]]:
                        self.taken[event["user_id"]].append(event["course_id"])
                        self.times[event["user_id"]].append(event["enrolled_at"])
            return Reply(202 if self.calls % 3 else 503)

    def history(self, user):
        with self.lock:
            return Reply(200, {"items": [{"id": item} for item in self.taken[user]]})

    def recommendations(self, user):
        return Reply(200, {"items": []})

    def ready(self):
        return Reply(200, {})


def test_clients_repeat_what_was_not_acknowledged_and_keep_the_order_of_their_users(monkeypatch):
    monkeypatch.setattr("millrace.prove.traffic.POST_PAUSE_S", (0.0, 0.001))
    monkeypatch.setattr("millrace.prove.traffic.READ_PAUSE_S", (0.0, 0.001))
    monkeypatch.setattr("millrace.prove.traffic.RETRY_DELAY_S", 0.001)
    target, api = io.StringIO(), MemoryApi()
    traffic = Traffic(5, ITEMS, api, Recorder(target))
    traffic.start()
    until(lambda: api.calls > 250)
    traffic.stop_posting(10)
    traffic.stop()
    history = History.from_lines(target.getvalue().splitlines())
    sent: dict[str, list[str]] = defaultdict(list)
    acknowledged = set()
    for operation in history.select("post"):
        for event in operation.request:
            user, item = event["user_id"], event["course_id"]
            sent[user] += [item] if item not in sent[user] else []
            if operation.outcome == "done":
                acknowledged.add((user, item))
    assert sent == {user: items for user, items in api.taken.items() if items}
    assert acknowledged == {(user, item) for user, items in sent.items() for item in items}
    assert max(map(len, sent.values())) <= EVENTS_PER_USER
    assert all(times == sorted(set(times)) for times in api.times.values())
    assert {operation.outcome for operation in history.select("invalid")} == {"refused"}
    assert {operation.action for operation in history.operations} >= {"history", "recommendations", "ready"}


def test_same_seed_gives_the_same_users_and_items():
    def users(seed: int):
        return Poster(0, seed, ITEMS, MemoryApi(), Recorder(io.StringIO()), Gate(), Roster())._users

    assert users(1) == users(1) != users(2)


def test_held_gate_keeps_posts_back_and_waits_for_those_under_way():
    gate, passed, under_way, release = Gate(), threading.Event(), threading.Event(), threading.Event()

    def post_slowly() -> None:
        with gate.passing():
            under_way.set()
            release.wait(10)

    def post() -> None:
        with gate.passing():
            passed.set()

    slow = threading.Thread(target=post_slowly)
    slow.start()
    under_way.wait(10)
    held = threading.Event()

    def hold() -> None:
        with gate.hold():
            held.set()
            time.sleep(0.05)
            assert not passed.is_set()

    holder = threading.Thread(target=hold)
    holder.start()
    assert not held.wait(0.05)
    release.set()
    assert held.wait(10)
    late = threading.Thread(target=post)
    late.start()
    for thread in (slow, holder, late):
        thread.join(10)
    assert passed.is_set()


def test_event_that_is_never_acknowledged_is_given_up_in_the_end():
    class Silent(MemoryApi):
        def post(self, events):
            self.calls += 1
            return Reply(None)

    api = Silent()
    traffic = Traffic(1, ITEMS, api, Recorder(io.StringIO()), posters=1, readers=0)
    traffic.start()
    until(lambda: api.calls)
    traffic.stop_posting(0.05)
    traffic.stop(10)
    assert not traffic._posters[0].is_alive()
