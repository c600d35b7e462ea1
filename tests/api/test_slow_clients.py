"""Slow, idle and hostile clients of a real server: everybody else is answered within a second."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import orjson
import pytest

from tests.api.server import Server, serving
from tests.api.test_client_protocol import is_ended

FILES = (300, 700)  # soft and hard limit of the server: the soft one alone would leave next to nothing
IDLE_CONNECTIONS = 2_000
HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
DRIPS = [
    b"GET /health/live?",
    b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    b"POST /course_popularity HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000000\r\n\r\n",
    b"POST /course_popularity HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
]
UNREAD = [
    b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10,  # more than both ends hold unread
    b"GET /v1/urls/live/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server that may open few files, and waits for nobody for long. It has no champions: there is no S3."""
    variables = {"MILLRACE_API_REQUEST_TIMEOUT": "1", "MILLRACE_API_POLL_INTERVAL": "60", "MILLRACE_S3_REGION": "x"}
    variables |= {"MILLRACE_S3_ENDPOINT": "http://127.0.0.1:9", "MILLRACE_S3_ACCESS_KEY": "a"}
    variables |= {"MILLRACE_S3_SECRET_KEY": "a"}
    with serving(variables, tmp_path_factory.mktemp("slow"), files=FILES) as result:
        assert result.client.get("/openapi.json").status_code == 200  # made at the first time
        yield result
        assert "Traceback" not in result.log, result.log[-3000:]


def connect(server: Server, data: bytes = b"") -> socket.socket:
    result = socket.socket()
    result.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    result.connect(("127.0.0.1", server.port))
    result.sendall(data)
    return result


def ask_health(server: Server) -> float:
    """The longest of three times until a new client knew that the server lives, in seconds."""
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        with connect(server, LIVE) as connection:  # not by httpx, whose client takes longer to be made than an answer
            assert connection.recv(12) == b"HTTP/1.1 200"
        seconds.append(time.monotonic() - started)
        time.sleep(0.1)
    return max(seconds)


@pytest.fixture
def many_files() -> Iterator[int]:
    """Lets this process open as many files as it may, and says how many that are."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_slow_clients_in_every_phase_and_thousands_of_idle_ones_hold_up_nobody(server, many_files):
    stopped = threading.Event()

    def drip() -> None:
        while not stopped.wait(0.1):
            for connection in drips:
                try:
                    connection.sendall(b"1")
                except OSError:  # ended, as it must be
                    drips.remove(connection)
                    break

    with ExitStack() as closing:
        idle = [closing.enter_context(connect(server)) for _ in range(min(IDLE_CONNECTIONS, many_files - 300))]
        assert ask_health(server) < 1
        unread = [closing.enter_context(connect(server, request)) for request in UNREAD]
        drips = [closing.enter_context(connect(server, request)) for request in DRIPS for _ in range(10)]
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert ask_health(server) < 1
            assert server.client.get("/v1/workloads").status_code == 200
            deadline = time.monotonic() + 20
            while drips:
                assert time.monotonic() < deadline, "some drip longer than a request may take"
                time.sleep(0.1)
            assert ask_health(server) < 1
        finally:
            stopped.set()
            thread.join()
        assert is_ended(idle[0])
        assert is_ended(unread[0])
    text = server.client.get("/metrics").text
    for reason in ("slow", "crowded"):
        assert f'millrace_connections_ended_total{{reason="{reason}"}}' in text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/urls/pages", [{"url": f"http://{chr(0x4E00 + n)}{'中' * 7900}/"} for n in range(83)]),
        ("/v1/urls/pages", [{"url": f"http://{chr(0x4E00 + n)}{'中' * 7900}@a.org/"} for n in range(83)]),
        ("/v1/urls/pages", [{"url": f"http://{'.'.join([chr(0x4E00 + n) + '中' * 14] * 15)}/"} for n in range(1_000)]),
        ("/v1/mooc/events", [[]] * 600_000),
        ("/v2/models/courses.popularity/infer", {"inputs": [], "outputs": [{}] * 300_000}),
        ("/course_popularity", [{}] * 9_000),
    ],
    ids=["hosts", "users", "labels", "brackets", "outputs", "rows"],
)
def test_expensive_request_holds_up_nobody(server, path, body):
    content, kind, statuses = orjson.dumps(body), {"Content-Type": "application/json"}, []

    def attack() -> None:
        statuses.append(httpx.post(f"{server.url}{path}", content=content, headers=kind, timeout=60).status_code)

    threads = [threading.Thread(target=attack) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert ask_health(server) < 1
    finally:
        for thread in threads:
            thread.join()
    # 503: an acceptable one has no champion to answer it; 408: this machine was too busy to send it.
    assert set(statuses) <= {408, 413, 422, 503}
