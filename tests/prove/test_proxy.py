"""Each mode of the proxy over loopback, before a small server."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from millrace.prove.faults import proxy as proxies
from millrace.prove.faults.cutting import BodyCutter
from millrace.prove.faults.proxy import Mode, Proxy
from millrace.runtime.ports import find_free_port

BODY = b"0123456789" * 2000


class Handler(BaseHTTPRequestHandler):
    """Answers GET with BODY, and keeps what PUT has sent."""

    protocol_version = "HTTP/1.1"
    received: list[int]

    def do_GET(self) -> None:
        self.answer(BODY)

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(len(content))
        self.answer(b"")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.received = []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def proxy(server) -> Iterator[Proxy]:
    made = Proxy(find_free_port(), lambda: server.server_address[1])
    made.start()
    yield made
    made.stop()


def connect(proxy: Proxy, timeout: float = 20) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout)


def ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/")
    connection.getresponse()


def read_to_end(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def get(proxy: Proxy, timeout: float = 20) -> tuple[int, bytes]:
    connection = connect(proxy, timeout)
    try:
        connection.request("GET", "/object")
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def put(proxy: Proxy, body: bytes = BODY) -> tuple[int, bytes]:
    connection = connect(proxy)
    try:
        connection.request("PUT", "/object", body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_passing_proxy_changes_nothing(proxy, server):
    assert get(proxy) == (200, BODY)
    assert put(proxy) == (200, b"")
    assert server.received == [len(BODY)]


def test_refusing_proxy_is_not_listened_on_and_comes_back(proxy):
    open_connection = connect(proxy)
    open_connection.request("GET", "/")
    open_connection.getresponse().read()
    proxy.set_mode(Mode.REFUSE)
    with pytest.raises(ConnectionRefusedError):
        get(proxy)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        ask(open_connection)
    open_connection.close()
    proxy.set_mode(Mode.PASS)
    assert get(proxy)[0] == 200


def test_resetting_proxy_resets_new_and_open_connections(proxy):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(1)
        proxy.set_mode(Mode.RESET)
        with pytest.raises(ConnectionResetError):
            read_to_end(connection)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        get(proxy)


def test_black_hole_answers_nothing_and_lets_pass_afterwards_what_waited(proxy):
    proxy.set_mode(Mode.BLACKHOLE)
    with pytest.raises(TimeoutError):
        get(proxy, timeout=0.2)
    waiting = connect(proxy, 20)
    waiting.request("GET", "/object")
    proxy.set_mode(Mode.PASS)
    assert waiting.getresponse().read() == BODY
    waiting.close()


def test_slow_proxy_delays_every_piece(proxy, monkeypatch):
    monkeypatch.setattr(proxies, "SLOW_CHUNK_S", 0.1)
    proxy.set_mode(Mode.SLOW)
    started = time.monotonic()
    assert get(proxy, 20) == (200, BODY)
    assert time.monotonic() - started >= 0.2


def test_unavailable_s3_answers_503_also_to_a_request_with_a_body(proxy, server):
    proxy.set_mode(Mode.UNAVAILABLE)
    for send in (get, put):
        status, body = send(proxy)
        assert status == 503
        assert b"<Code>SlowDown</Code>" in body
    assert server.received == []


def test_cut_answer_ends_in_the_middle_of_its_body(proxy):
    proxy.set_mode(Mode.CUT)
    with pytest.raises(http.client.IncompleteRead) as raised:
        get(proxy)
    assert raised.value.partial == BODY[: len(BODY) // 2]
    assert put(proxy) == (200, b"")


def test_torn_write_reaches_the_server_in_part_and_is_not_answered(proxy, server):
    proxy.set_mode(Mode.TORN)
    assert get(proxy) == (200, BODY)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        put(proxy)
    # The server saw the connection end half way.
    assert server.received in ([], [len(BODY) // 2])
    proxy.set_mode(Mode.PASS)
    assert put(proxy)[0] == 200


def test_proxy_before_a_server_that_does_not_run_ends_connections():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        made = Proxy(find_free_port(), lambda: unused.getsockname()[1])
        made.start()
        try:
            with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
                get(made)
        finally:
            made.stop()


@pytest.mark.parametrize(
    ("pieces", "passed"),
    [
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234", b"56789"],
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234",
        ),
        (
            [b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n", b"ab", b"cdefgh"],
            b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nabcd",
        ),
        (
            [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"],
            b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", b"cde\r\n0\r\n\r\n"],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        ),
    ],
)
def test_cutter_passes_the_head_and_half_of_the_first_body(pieces, passed):
    cutter, output, is_cut = BodyCutter(b"HTTP/1."), b"", False
    for piece in pieces:
        if not is_cut:
            data, is_cut = cutter.feed(piece)
            output += data
    assert is_cut
    assert output == passed


def test_cutter_passes_requests_that_only_read():
    request = b"GET /x HTTP/1.1\r\nContent-Length: 10\r\n\r\n"
    assert BodyCutter(b"PUT ").feed(request) == (request, False)
