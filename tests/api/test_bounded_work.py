"""The cost of a request is bounded before the work is done: look-ups, long bodies, and what all of them hold."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext

import httpx
import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from millrace.api import openapi, rows, work_queue
from millrace.api.fast_path import read_body
from millrace.api.main import create_app
from millrace.api.middleware.body_limit import BodyLimitMiddleware
from millrace.api.page_rows import make_row_reader
from millrace.api.work_queue import LOOKUPS, OFF_LOOP_BYTES, WorkQueue
from millrace.errors import BadInputError, BusyError, NotFoundError, TooLargeError
from millrace.serving.model_store import ModelStore
from millrace.workloads import find_workload
from tests.api.inside import inside

VERSIONS = "/v2/models/courses.popularity/versions"


@pytest.fixture
def looked_up(monkeypatch) -> Iterator[threading.Event]:
    """Every look-up in S3 lasts until this is set, and finds nothing."""
    done = threading.Event()

    def look(store: ModelStore, workload: str, model: str, version: str) -> None:
        assert done.wait(60)
        raise NotFoundError(f"There is no version {version!r}.", field="version")

    monkeypatch.setattr(ModelStore, "_load", look)
    yield done
    done.set()


def test_look_ups_of_unknown_versions_are_bounded_and_hold_up_nobody(looked_up):
    answers: list[httpx.Response] = []
    with inside(create_app()) as client:

        def ask(number: int) -> None:
            answers.append(client.get(f"{VERSIONS}/20200101T000000Z-{number:08x}"))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(LOOKUPS.limit + 10)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while len(answers) < 10:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} == {"1"}
        assert client.get("/health/live").status_code == 200
        # What can't be the name of a version asks nobody.
        assert client.get(f"{VERSIONS}/nonsense").status_code == 404
        looked_up.set()
        for thread in threads:
            thread.join()
        assert sorted(answer.status_code for answer in answers) == [404] * LOOKUPS.limit + [503] * 10
        assert ask(0) is None
        assert answers[-1].status_code == 404


def test_document_is_made_beside_the_event_loop(monkeypatch):
    app, threads = create_app(), []
    make = openapi.get_openapi
    monkeypatch.setattr(
        openapi, "get_openapi", lambda **options: threads.append(threading.current_thread().name) or make(**options)
    )
    with inside(app) as client:
        first, second = client.get("/openapi.json"), client.get("/openapi.json")
        assert client.head("/openapi.json").headers["content-type"] == "application/json"
    assert first.json() == second.json() == orjson.loads(orjson.dumps(app.openapi()))
    assert "/openapi.json" not in first.json()["paths"]
    assert len(threads) == 1
    assert threads[0].startswith("large requests")


def test_work_over_its_limit_is_refused_and_room_is_made_by_what_ends():
    async def check() -> None:
        queue, done = WorkQueue("tests", threads=1, waiting=1), threading.Event()
        under_way = [asyncio.create_task(queue.run(done.wait, 30)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="2 tests are under way in this worker; allowed: 2"):
            await queue.run(done.wait, 30)
        done.set()
        assert await asyncio.gather(*under_way) == [True, True]
        assert await queue.run(str, 5) == "5"

    asyncio.run(check())


def test_long_body_is_read_beside_the_event_loop():
    async def check() -> None:
        names = [
            await work_queue.run_by_size(lambda _: threading.current_thread().name, b" " * size)
            for size in (OFF_LOOP_BYTES, OFF_LOOP_BYTES + 1)
        ]
        assert names[0] == threading.current_thread().name
        assert names[1].startswith("large requests")

    asyncio.run(check())


@pytest.mark.parametrize("text", [b"[" + b",".join([b"[]"] * 600_000) + b"]", b'{"a":' * 100_000])
def test_body_of_too_many_objects_is_refused_before_it_is_parsed(text):
    started = time.thread_time()
    with pytest.raises(TooLargeError, match=r"body: begins \d+ lists and objects; allowed: 40000"):
        rows.parse_json(text)
    assert time.thread_time() - started < 0.1


def test_error_of_many_bad_rows_costs_no_more_than_that_of_one():
    workload = find_workload("courses")
    reader = rows.RowReader(workload, workload.clusterings[0])
    started = time.thread_time()
    with pytest.raises(BadInputError, match=r"\[0\]\.\w+: is missing"):
        reader.read_many([{}] * 10_000)
    assert time.thread_time() - started < 0.2


@pytest.mark.parametrize(
    ("form", "outcome"),
    [("http://{}{}/", pytest.raises(BadInputError, match=r"\[0\]\.url: ")), ("http://{}{}@a.org/", nullcontext())],
    ids=["host", "user"],
)
def test_pages_of_hostile_hosts_are_cheap(form, outcome):
    workload = find_workload("urls")
    reader = make_row_reader(workload, workload.pages[0])
    pages = [{"url": form.format(chr(0x4E00 + number), "中" * 7900)} for number in range(83)]
    started = time.thread_time()
    with outcome:
        reader.read_many(orjson.loads(orjson.dumps(pages)))
    assert time.thread_time() - started < 0.3


class Caller:
    """A request whose body comes in parts as the test says, and what was answered."""

    def __init__(self, app: BodyLimitMiddleware):
        self.parts: asyncio.Queue[Message] = asyncio.Queue()
        self.status: int | None = None
        self.task = asyncio.create_task(self._ask(app))

    async def _ask(self, app: BodyLimitMiddleware) -> None:
        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await app(scope, self.parts.get, self._send)

    async def _send(self, message: Message) -> None:
        self.status = message.get("status", self.status)

    async def send(self, size: int, more: bool = True) -> None:
        self.parts.put_nowait({"type": "http.request", "body": b"x" * size, "more_body": more})
        await asyncio.sleep(0.02)


async def accept(scope: Scope, receive: Receive, send: Send) -> None:
    await read_body(receive)
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body"})


def test_oldest_unfinished_body_makes_room_for_others():
    async def check() -> None:
        app = BodyLimitMiddleware(accept, 1_000)
        app.bodies.limit = 2_000
        oldest, other, newest = [Caller(app) for _ in range(3)]
        for caller in (oldest, other, newest):
            await caller.send(800)
        assert (await asyncio.wait_for(oldest.task, 5), oldest.status) == (None, 503)
        for caller in (other, newest):
            await caller.send(100, more=False)
            assert (await asyncio.wait_for(caller.task, 5), caller.status) == (None, 202)
        assert app.bodies.held == 0

    asyncio.run(check())
