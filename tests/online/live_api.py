"""The live API of mooc: what its workers answer, serve and have read, and what kills them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial

import httpx
import numpy as np
import psutil

from millrace.local import stack as local
from millrace.messaging.fence import Claim, Fence
from millrace.messaging.reader import end_offsets, read_all
from millrace.recommend.top_items import clean_history
from millrace.runtime import http
from millrace.settings import settings
from tests import waiting
from tests.online.replay import Replay

NAME = "mooc/recommendations"
until = partial(waiting.until, seconds=90)
ASKED = 16  # times, each on a connection of its own: both workers are asked


def url(path: str) -> str:
    return f"http://127.0.0.1:{settings().api_port}{path}"


def ready() -> dict:
    """Readiness of any worker; empty while there is none."""
    try:
        answer = http.get(url("/health/ready"), timeout=30)
    except httpx.TransportError:
        return {}
    return answer.json() if answer.status_code == 200 else {}


def every(check: Callable[[dict], bool]) -> Callable[[], bool]:
    """Whether all workers say so."""
    return lambda: all((result := ready()) and check(result) for _ in range(ASKED))


def serves(version: str) -> Callable[[], bool]:
    return every(lambda result: result["models"].get(NAME) == version)


def caught_up(values: dict) -> bool:
    """Whether a worker has taken up everything that is in the topic."""
    offsets = values["live"]["mooc"]["offsets"] or {}
    return all(offsets.get(str(part), 0) >= end for part, end in end_offsets("mooc.records").items())


def current_claim() -> Claim:
    """The running updater's: for a test that publishes in its name."""
    model = NAME.partition("/")[2]
    fence = Fence(model)
    for message in read_all("mooc.deltas"):
        if fence.covers(message.key):
            fence.judge(message)
    return Claim("mooc.deltas", model, fence.epoch, 0, fence.epoch - 1)


def enrolment(user: str, course: str, at: str | None = None) -> dict:
    return {"user_id": user, "course_id": course, "enrolled_at": at}


def now() -> str:
    return datetime.now(UTC).isoformat()


def post(body) -> dict:
    return http.post(url("/v1/mooc/events"), json=body, timeout=30).raise_for_status().json()


def answers(user: str, n: int = 10) -> list[list[tuple[str, float]]]:
    """What the workers answer, each on a new connection."""
    result = [http.get(url(f"/v1/mooc/recommendations/{user}?n={n}"), timeout=30).json() for _ in range(ASKED)]
    return [[(item["id"], item["score"]) for item in one["items"]] for one in result]


def as_replayed(manifest, arrays, users: list[str]) -> None:
    """All workers answer as a replay from the beginning does, and every event was counted once."""
    until(every(caught_up), "everything is read")
    replay = Replay(manifest, arrays)
    until(every(lambda result: result["live"]["mooc"]["accepted"] == replay.accepted), f"{replay.accepted} are counted")
    model = replay.model()
    for user in users:
        history = replay.history(user)
        known = clean_history([replay.numbers[item] for item in history if item in replay.numbers], len(replay.numbers))
        expected = model.top(known, 10)
        report = http.get(url(f"/v1/mooc/history/{user}?n=1000"), timeout=30).json()
        assert [item["id"] for item in report["items"]] == history
        for answer in answers(user):
            np.testing.assert_allclose([score for _, score in answer], expected.scores, rtol=1e-4)
            # Of equal scores any may come first: sums in another order differ in their last bits.
            wanted = [replay.item_ids[item] for item in expected.items]
            clear = np.diff(expected.scores, prepend=np.inf, append=-np.inf)
            for position, (item, _) in enumerate(answer):
                if min(-clear[position], -clear[position + 1]) > 1e-4 * expected.scores[position]:
                    assert item == wanted[position]


@contextmanager
def watching(user: str) -> Iterator[list]:
    """All answers that differ from the first, while the block runs."""
    expected, different, stop = answers(user)[0], [], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            try:
                answer = http.get(url(f"/v1/mooc/recommendations/{user}"), timeout=30)
            except httpx.TransportError:
                continue  # its worker was killed
            entry = answer.json()
            if answer.status_code == 503 and entry["error"]["code"] == "no_champion":
                continue  # by a new worker that is not ready
            result = [(item["id"], item["score"]) for item in entry.get("items", ())]
            if result != expected:
                different.append(entry)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield different
    finally:
        stop.set()
        thread.join()


def workers() -> list[int]:
    """The API's processes that answer."""
    results = []
    for item in psutil.Process(child("api")["pid"]).children():
        with suppress(psutil.Error):  # one that was just killed
            results += [item.pid] if "spawn_main" in str(item.cmdline()) else []
    return results


def child(name: str) -> dict:
    return next(one for one in local.stack_status()["children"] if one["name"] == name)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


class Poster(threading.Thread):
    """Posts events one after the other, each again until it is accepted."""

    def __init__(self, courses: list[str]):
        super().__init__()
        self.stop, self.accepted, self.refused, self._courses = threading.Event(), [], 0, courses

    def run(self) -> None:
        while not self.stop.is_set():
            number = len(self.accepted)
            body = enrolment(f"killed-{number % 20}", self._courses[number % len(self._courses)], now())
            while not self.stop.is_set():
                try:
                    answer = http.post(url("/v1/mooc/events"), json=body | {"event_id": f"kill-{number}"}, timeout=60)
                except httpx.TransportError:
                    self.refused += 1  # its worker was killed
                    continue
                if answer.status_code == 202:
                    self.accepted.append(body)
                    break
                assert answer.status_code == 503, answer.text
                self.refused += 1
