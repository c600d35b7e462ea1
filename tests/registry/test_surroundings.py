"""What the environment says of AWS does not reach an S3 of one's own."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.registry.store import ObjectStore
from tests.registry.servers import settings_of

LISTING = (
    b"<ListBucketResult><Name>models</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"
)


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    """Answers every request with an empty listing, and keeps its headers in `heard`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(dict(self.headers))
            self.send_response(200)
            self.send_header("Content-Length", str(len(LISTING)))
            self.end_headers()
            self.wfile.write(LISTING)

        def log_message(self, *_: object) -> None:
            pass

    heard: list[dict[str, str]] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.heard = heard  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


SURROUNDINGS = {
    "a profile that this machine lacks": {"AWS_PROFILE": "nosuch"},
    "its older name": {"AWS_DEFAULT_PROFILE": "nosuch"},
    "another account": {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "token"},
    "FIPS": {"AWS_USE_FIPS_ENDPOINT": "true"},
    "IPv6": {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    "another endpoint": {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"},
    "a proxy": {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"},
    "another region": {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1"},
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_request_goes_to_our_server_with_our_keys(server, monkeypatch, name):
    for variable, value in SURROUNDINGS[name].items():
        monkeypatch.setenv(variable, value)
    variables = {
        "MILLRACE_S3_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "MILLRACE_S3_ACCESS_KEY": "our-key",
        "MILLRACE_S3_SECRET_KEY": "our-secret",
    }
    with settings_of(variables):
        assert ObjectStore("models").keys("") == []
    (request,) = server.heard
    assert "Credential=our-key/" in request["Authorization"]
    assert "/us-east-1/s3/" in request["Authorization"]
    assert "X-Amz-Security-Token" not in request


def test_malformed_aws_config_files_are_ignored(server, monkeypatch, tmp_path: Path):
    broken = tmp_path / "config"
    broken.write_text("no [section\n\x00")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))
    variables = {
        "MILLRACE_S3_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "MILLRACE_S3_ACCESS_KEY": "our-key",
        "MILLRACE_S3_SECRET_KEY": "our-secret",
    }
    with settings_of(variables):
        assert ObjectStore("models").keys("") == []
