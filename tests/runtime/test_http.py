"""Single requests: the answer of httpx, without its authorities being loaded each time."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from millrace.runtime import http


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            self.answer(self.rfile.read(int(self.headers["Content-Length"])))

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_requests_succeed_and_load_ca_certificates_once(url, monkeypatch):
    loads = []
    create = httpx.create_ssl_context
    monkeypatch.setattr(
        httpx, "create_ssl_context", lambda *options, **named: loads.append(1) or create(*options, **named)
    )
    http.tls_context.cache_clear()
    assert http.get(url).status_code == 200
    assert http.post(url, content=b"body").content == b"body"
    assert http.request("GET", url).status_code == 200
    assert len(loads) == 1


def test_tls_context_loads_ca_certificates_and_checks_hostnames():
    context = http.tls_context()
    assert context.check_hostname
    assert context.get_ca_certs()


def test_unreachable_server_raises_httpx_error():
    with pytest.raises(httpx.ConnectError):
        http.get("http://127.0.0.1:1/")
