"""Connect's answers while its workers deal out the tasks anew: they come by chance, so here a server gives them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from millrace.errors import UnavailableError
from millrace.lake import sink
from millrace.workloads import find_workload
from tests.registry.servers import settings_of

EXPECTED = (500, b'{"error_code":500,"message":"Request cannot be completed because a rebalance is expected"}')
STALE = (409, b'{"error_code":409,"message":"Cannot complete request momentarily due to stale configuration"}')


@pytest.fixture
def connect() -> Iterator[tuple[list, list]]:
    """(answers to give, the last one again and again; requests seen)."""
    answers: list[tuple[int, bytes]] = []
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append(self.command)
            status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = answer

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    variables = {
        "MILLRACE_CONNECT_URL": f"http://127.0.0.1:{server.server_port}",
        "MILLRACE_CATALOG_JDBC": "jdbc:sqlite:catalog.db",
        "MILLRACE_S3_ENDPOINT": "http://127.0.0.1:1",
    }
    with settings_of(variables):
        yield answers, seen
    server.shutdown()
    server.server_close()


def test_connector_is_created_despite_connect_rebalance(connect):
    answers, seen = connect
    answers += [EXPECTED, (404, b"{}"), STALE, EXPECTED, (201, b"{}")]
    assert sink.ensure_sinks([find_workload("courses")]) == ["lake-courses"]
    assert seen == ["GET", "GET", "PUT", "PUT", "PUT"]


def test_endless_rebalance_is_reported(connect, monkeypatch):
    monkeypatch.setattr(sink, "REBALANCE_TIMEOUT_S", 1.0)
    connect[0].append(STALE)
    with pytest.raises(UnavailableError, match="stale configuration"):
        sink.ensure_sinks([find_workload("courses")])


def test_any_other_connect_error_is_reported_immediately(connect):
    answers, seen = connect
    answers.append((400, b'{"error_code":400,"message":"no such class"}'))
    with pytest.raises(UnavailableError, match="no such class"):
        sink.ensure_sinks([find_workload("courses")])
    assert seen == ["GET"]
