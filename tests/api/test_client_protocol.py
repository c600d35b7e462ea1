"""What a connection is waited for: every phase has a deadline, and there is room for the next one."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from millrace.api.connection_table import ConnectionTable, connection_table
from millrace.api.fast_path import read_body
from millrace.api.file_budget import MIN_CONNECTIONS, RESERVED_FILES, plan_files
from millrace.api.middleware.body_limit import BodyLimitMiddleware
from millrace.errors import BadInputError
from millrace.settings import settings
from tests.api.inside import inside

TIMEOUT_S, LATEST_S = 1.0, 20.0  # the latter for busy machines
GET = b"GET /live HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
DRIPS = {
    "nothing": b"",
    "request line": b"GET /live?",
    "headers": GET + b"X-A: ",
    "body": POST + b"Content-Length: 1000000\r\n\r\n",
    "chunked body": POST + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
    "rest of a body that was answered": GET + b"Content-Length: 100000\r\n\r\n",
    "second request": GET + b"\r\nGET /live?",
}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """An application with all ways to answer."""
    path = scope["path"]
    content = await read_body(receive) if scope["method"] == "POST" else b"live"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if path == "/hang":
        await receive()  # the end of the request
        await receive()  # the end of the connection
    for _ in range(1_000_000 if path == "/stream" else 0):
        await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
    await send({"type": "http.response.body", "body": b"x" * 20_000_000 if path == "/long" else content})


@pytest.fixture
def client(monkeypatch) -> Iterator[httpx.Client]:
    for name, value in {"request_timeout": "1", "idle_timeout": "1", "connections": str(MIN_CONNECTIONS)}.items():
        monkeypatch.setenv(f"MILLRACE_API_{name.upper()}", value)
    settings.cache_clear()
    connection_table.cache_clear()
    with inside(BodyLimitMiddleware(answer, 1_000), "millrace.api.client_protocol:ClientProtocol") as result:
        yield result
    monkeypatch.undo()
    settings.cache_clear()
    connection_table.cache_clear()


def connect(client: httpx.Client, data: bytes = b"") -> socket.socket:
    """A connection that has sent so much, and takes little that it has not read."""
    result = socket.socket()
    result.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    result.connect(("127.0.0.1", client.base_url.port))
    result.sendall(data)
    return result


def is_ended(connection: socket.socket) -> bool:
    """Whether the server has closed it; what it sent before is read."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def sends(connection: socket.socket, data: bytes) -> bool:
    """Whether the server still takes it."""
    try:
        connection.sendall(data)
    except ConnectionError:
        return False
    return True


def await_end(connection: socket.socket, drip: bytes) -> float:
    """Seconds until the server ended a connection on which a byte is sent now and then."""
    began = time.monotonic()
    connection.settimeout(0.01)
    while time.monotonic() - began < LATEST_S:
        try:
            connection.sendall(drip)
            if not connection.recv(65_536):
                break
        except TimeoutError:
            pass
        except OSError:
            break
        time.sleep(0.1)
    return time.monotonic() - began


@pytest.mark.parametrize("phase", DRIPS)
def test_every_phase_of_a_request_has_a_deadline(client, phase):
    with connect(client, DRIPS[phase]) as connection:
        assert TIMEOUT_S - 0.2 < await_end(connection, b"" if phase == "nothing" else b"1") < LATEST_S
    assert client.get("/live").text == "live"


@pytest.mark.parametrize("path", [b"/long", b"/stream"])
def test_answer_that_is_not_taken_ends_its_connection(client, path):
    with connect(client, b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path) as connection:
        began = time.monotonic()
        connection.settimeout(LATEST_S)
        assert connection.recv(1)
        while len(connection_table()):  # the client sees no end before it has read what is on its way
            assert connection.recv(1)
            assert time.monotonic() - began < LATEST_S
            time.sleep(0.05)
        while not is_ended(connection):
            assert time.monotonic() - began < 2 * LATEST_S
    assert client.get("/live").text == "live"


def test_slow_body_is_told_so(client):
    with connect(client, DRIPS["body"].replace(b"1000000", b"100")) as connection:
        connection.settimeout(LATEST_S)
        received = connection.recv(65_536)
    assert received.startswith(b"HTTP/1.1 408")
    assert b"did not arrive within 1 seconds" in received


def test_idle_connection_is_closed(client):
    with connect(client, GET + b"\r\n") as connection:
        connection.settimeout(LATEST_S)
        while connection.recv(65_536):
            pass


def test_oldest_that_waits_makes_room(client):
    with ExitStack() as closing:
        connections = [closing.enter_context(connect(client, DRIPS["headers"])) for _ in range(3 * MIN_CONNECTIONS)]
        assert client.get("/live").text == "live"
        ended = [is_ended(connection) for connection in connections]
        assert ended[:MIN_CONNECTIONS] == [True] * MIN_CONNECTIONS


def test_new_connection_is_refused_while_all_are_answered(client):
    with ExitStack() as closing:
        for _ in range(MIN_CONNECTIONS):
            connection = closing.enter_context(connect(client, b"GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            connection.settimeout(LATEST_S)
            assert connection.recv(12) == b"HTTP/1.1 200"
        refused = closing.enter_context(connect(client))
        refused.settimeout(LATEST_S)
        received = refused.recv(65_536)
    assert received.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in received


@pytest.mark.parametrize("head", [b"GET /" + b"x" * 400_000, GET + b"X-A: " + b"x" * 400_000], ids=["line", "header"])
def test_head_without_end_is_refused(client, head):
    with connect(client) as connection:
        connection.settimeout(LATEST_S)
        try:
            connection.sendall(head)
            received = connection.recv(65_536)
        except ConnectionError:
            return  # closed with bytes unread: the answer is lost on its way
    assert received.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X-A: " + b"x" * 20_000 + b"\r\n"),
        (GET, b"X-A: " + b"x" * 20_000 + b"\r\n"),
        (b"", GET + b"\r\n"),
    ],
    ids=["trailers", "headers", "pipeline"],
)
def test_what_never_ends_is_refused_before_its_deadline(client, begin, more):
    with connect(client, begin) as connection:
        connection.settimeout(LATEST_S)
        assert not all(sends(connection, more) for _ in range(20_000))


def test_pipelined_requests_are_answered_in_order_and_lost_ones_leave_no_trace(client, caplog):
    with connect(client, (GET + b"\r\n") * 10) as connection:
        connection.settimeout(LATEST_S)
        received = b""
        while received.count(b"0\r\n\r\n") < 10:
            received += connection.recv(65_536)
    assert received.count(b"HTTP/1.1 200") == 10
    with connect(client, b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10) as connection:
        assert connection.recv(1)
        began = time.monotonic()
        while len(connection_table()):
            assert time.monotonic() - began < LATEST_S
            time.sleep(0.05)
    time.sleep(0.2)
    assert "Exception in ASGI application" not in caplog.text


def test_request_in_small_chunks_is_read(client):
    with connect(
        client, POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 900 + b"0\r\n\r\n"
    ) as connection:
        connection.settimeout(LATEST_S)
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            received += connection.recv(65_536)
    assert b"a" * 900 in received


class FakeConnection:
    def __init__(self) -> None:
        self.is_ended = False

    def end(self) -> None:
        self.is_ended = True


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that does not run: nothing is overdue."""
    result = asyncio.new_event_loop()
    yield result
    result.close()


def test_longest_unread_answers_are_ended_over_their_budget(loop):
    table, connections = ConnectionTable(100, unread_limit=1_000), [FakeConnection() for _ in range(5)]
    for connection in connections:
        assert table.admit(connection, loop)
        table.hold(connection, 300)
    assert [connection.is_ended for connection in connections] == [True, True, False, False, False]
    table.hold(connections[2], 0)
    table.hold(connections[4], 600)
    assert [connection.is_ended for connection in connections] == [True, True, False, False, False]


def test_ended_connection_is_not_waited_for_again(loop):
    table, connection = ConnectionTable(1), FakeConnection()
    table.admit(connection, loop)
    table.wait(connection, 1.0)
    assert table.admit(FakeConnection(), loop)
    assert connection.is_ended
    table.wait(connection, 2.0)
    assert table.deadline(connection) is None


@pytest.mark.parametrize("files", [RESERVED_FILES + 2 * MIN_CONNECTIONS, 1_024, 20_000, 1 << 20])
def test_connections_and_backlog_fit_the_limit_on_open_files(files):
    budget = plan_files(files, 2_000)
    assert MIN_CONNECTIONS <= budget.connections <= 2_000
    assert budget.connections + budget.backlog + RESERVED_FILES <= files


def test_too_few_open_files_are_refused():
    with pytest.raises(BadInputError, match=r"limit on open files, 256, .* a hard limit of 300 or more"):
        plan_files(256, 2_000)
