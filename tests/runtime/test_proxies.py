"""Loopback is asked directly by every library that we use, whatever the environment says of proxies."""

import http.server
import threading
from collections.abc import Iterator

import httpx
import pytest
from botocore.utils import get_environ_proxies

from millrace.runtime import http as requests
from millrace.runtime.proxies import exempt_loopback, leads_to_loopback

DEAD = "http://127.0.0.1:9"


@pytest.fixture
def server() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("direct", [{}, {"NO_PROXY": "internal.example"}, {"no_proxy": "internal.example,[::1]"}])
def test_proxy_is_used_only_for_non_loopback_hosts(server, monkeypatch, name, direct):
    environ = {name: DEAD} | direct
    exempt_loopback(environ)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    assert requests.get(f"http://127.0.0.1:{server}/", timeout=5).status_code == 204
    for host in ("127.0.0.1:9000", "localhost:9000"):
        assert get_environ_proxies(f"http://{host}/") == {}
        assert leads_to_loopback(f"http://{host}/")
    assert leads_to_loopback("http://[::1]:9000")
    assert not leads_to_loopback("http://s3.example")
    httpx.Client(trust_env=True).close()  # reads the variables, and fails at what it can't parse
    assert DEAD in get_environ_proxies("http://s3.example/").values()
    if direct:
        assert get_environ_proxies("http://internal.example/") == {}


def test_environment_without_proxy_is_unchanged():
    environ = {"PATH": "/bin"}
    exempt_loopback(environ)
    assert environ == {"PATH": "/bin"}


def test_upper_and_lower_case_no_proxy_are_merged_for_all_libraries():
    environ = {"https_proxy": DEAD, "no_proxy": "a.example, b.example", "NO_PROXY": "c.example,127.0.0.1"}
    exempt_loopback(environ)
    assert environ["no_proxy"] == environ["NO_PROXY"] == "a.example,b.example,c.example,127.0.0.1,localhost,::1"
