"""The server as a process: workers, metrics over all of them, limits, keys, and its end."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import httpx
import pytest

from millrace.api.serve import START_TIMEOUT_S
from millrace.registry.registry import Registry
from millrace.registry.store import ObjectStore
from tests.api.server import RUN, serving
from tests.registry.made import made
from tests.registry.servers import s3_server, settings_of

AS_JSON = {"Content-Type": "application/json"}
HEAD = b"Content-Type: application/json\r\n"
ROW = {"num_subscribers": 10000, "num_reviews": 300, "num_lectures": 40, "content_duration": 4.5}


def raw(server, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send bytes as they are and read until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = b""
        while received := connection.recv(65536):
            answer += received
        return answer


def sample(server, name: str) -> float:
    lines = server.client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


@pytest.fixture(scope="module")
def workers(variables, tmp_path_factory):
    """A server with three workers."""
    folder = tmp_path_factory.mktemp("workers")
    with serving(variables | {"MILLRACE_API_WORKERS": "3"}, folder, "/health/ready") as result:
        yield result


def test_metrics_are_summed_across_workers(workers):
    for _ in range(90):  # a connection each, so that all workers get some
        answer = httpx.post(f"{workers.url}/course_popularity", json=ROW, headers={"Connection": "close"})
        assert answer.status_code in (200, 503)  # 503: a worker that has not polled yet
    name = 'millrace_requests_total{route="/course_popularity"'
    assert sample(workers, name) == 90
    assert sample(workers, name) == 90  # whichever worker answers
    assert sample(workers, 'millrace_request_seconds_count{route="/course_popularity"') == 90


def started(workers, count: int) -> list[int]:
    """The processes of so many workers that have started, once there are as many.

    A worker that dies while its supervisor asks whether it lives is missed after START seconds.
    """
    deadline = time.monotonic() + START_TIMEOUT_S + 60
    while len(pids := re.findall(r"Started server process \[(\d+)\]", workers.log)) < count:
        assert time.monotonic() < deadline, workers.log
        time.sleep(0.1)
    return [int(pid) for pid in pids]


def test_each_worker_logs_with_time_and_level(workers):
    started(workers, 3)
    line = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO courses/popularity serves \d{8}T", re.M)
    deadline = time.monotonic() + 60
    while len(line.findall(workers.log)) < 3:
        assert time.monotonic() < deadline, workers.log
        time.sleep(0.1)


def test_killed_worker_is_replaced_and_no_metrics_are_lost(workers):
    first, *_ = started(workers, 3)  # one of them is enough to be ready
    before = sample(workers, "millrace_requests_total{")
    os.kill(first, signal.SIGKILL)
    started(workers, 4)
    deadline = time.monotonic() + 60
    # An answer is counted once it is sent: the one that told `before` may have died uncounted with its worker.
    workers.client.get("/metrics")
    assert sample(workers, "millrace_requests_total{") > before
    while sample(workers, "millrace_polled_at_seconds") == 0:  # the new worker has not polled yet
        assert time.monotonic() < deadline
    assert sample(workers, "millrace_polled_at_seconds") > time.time() - 60


def test_unknown_paths_share_one_metric_series(api, server):
    for number in range(5):
        api.get(f"/nothing/{number}")
    text = api.get("/metrics").text
    assert 'route="unknown",status="404"' in text
    assert "/nothing/" not in text


def test_metrics_include_versions_and_staleness(api, server):
    text = api.get("/metrics").text
    version = api.get("/v1/models/courses/price").json()["version"]
    assert f'millrace_model_version{{model="courses/price",version="{version}"}} 1.0' in text
    assert abs(sample(server, "millrace_polled_at_seconds") - time.time()) < 30


def test_body_over_limit_is_rejected_by_content_length(api):
    answer = api.post("/course_popularity", content=b" " * 2_000_001, headers=AS_JSON)
    assert answer.status_code == 413
    assert answer.json()["error"]["message"].startswith("body: has 2000001 bytes; allowed: 2000000 bytes")


def test_streamed_body_over_limit_is_also_rejected(api):
    answer = api.post("/course_popularity", content=(b" " * 100_000 for _ in range(30)), headers=AS_JSON)
    assert answer.status_code == 413
    assert answer.json()["error"]["message"].startswith("body: has more than 2000000 bytes")


def test_body_over_limit_on_protocol_path_is_rejected_in_protocol_format(api):
    answer = api.post("/v2/models/courses.price/infer", content=b" " * 2_000_001, headers=AS_JSON)
    assert answer.status_code == 413
    assert isinstance(answer.json()["error"], str)


def test_client_disconnect_mid_request_is_not_logged_as_fault(server):
    for path in (b"/course_popularity", b"/v2/models/courses.price/versions/x/infer"):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(
                b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + HEAD + b"Content-Length: 500\r\n\r\n{"
            )
    assert server.client.get("/health/live").status_code == 200
    assert "fault" not in server.log


def test_bytes_that_are_not_http_are_rejected(server):
    assert raw(server, b"\x16\x03\x01nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_keys_are_required_for_all_but_health_and_docs(variables, tmp_path):
    with serving(variables | {"MILLRACE_API_KEYS": "first-key, second-key"}, tmp_path, "/health/ready") as server:
        for path in ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/docs", "/docs/docs.js"):
            assert server.client.get(path).status_code == 200
        for path in ("/", "/metrics", "/openapi.json", "/v1/models", "/v2", "/nothing"):
            answer = server.client.get(path)
            assert answer.status_code == 401, path
            assert "X-API-Key" in answer.text
        for headers in ({"X-API-Key": "second-key"}, {"Authorization": "Bearer first-key"}):
            assert server.client.post("/course_popularity", json=ROW, headers=headers).status_code == 200
        for key in ("", "first-key,", "first-key, second-key", "é"):
            headers = {"X-API-Key": key.encode()}
            assert server.client.post("/course_popularity", json=ROW, headers=headers).status_code == 401
        document = server.client.get("/openapi.json", headers={"X-API-Key": "first-key"}).json()
        assert document["paths"]["/course_popularity"]["post"]["security"] == [{"ApiKey": []}]


def test_cross_origin_requests_are_denied_unless_origin_is_configured(api, variables, tmp_path):
    ask = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in api.options("/course_popularity", headers=ask).headers
    with serving(variables | {"MILLRACE_API_CORS_ORIGINS": "https://shop.example"}, tmp_path) as server:
        allowed = server.client.options("/course_popularity", headers=ask)
        assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
        other = server.client.options("/course_popularity", headers=ask | {"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("count", [1, 2], ids=["one worker", "two workers"])
def test_in_flight_requests_are_finished_after_sigterm(variables, tmp_path, count):
    with serving(variables | {"MILLRACE_API_WORKERS": str(count)}, tmp_path, "/health/ready") as server:
        body = b'{"num_subscribers":1,"num_reviews":1,"num_lectures":1,"content_duration":1}'
        head = b"POST /course_popularity HTTP/1.1\r\nHost: localhost\r\n" + HEAD
        head += b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        sent, answers = threading.Event(), []

        def slowly() -> None:
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(head % len(body))
                # The server says so when it asks for the body: from then on the request is in flight.
                assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
                connection.sendall(body[:20])
                sent.set()
                time.sleep(1)  # the signal comes meanwhile
                connection.sendall(body[20:])
                answers.append(connection.recv(65536))

        thread = threading.Thread(target=slowly)
        thread.start()
        assert sent.wait(30)
        assert server.terminate() == 0
        thread.join()
        assert answers[0].startswith(b"HTTP/1.1 200"), answers
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url)


def test_port_in_use_is_reported(server, variables):
    with settings_of(variables):
        run = subprocess.run(
            [sys.executable, "-c", RUN],
            env={**os.environ, "MILLRACE_API_PORT": str(server.port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert f"Port {server.port} is in use by another program; set MILLRACE_API_PORT" in run.stderr


def test_requests_are_served_while_storage_is_unavailable(engines, tmp_path):
    with ExitStack() as server_ends:
        with s3_server("s3proxy", tmp_path) as own:
            own = own | {"MILLRACE_MODELS_BUCKET": "own"}
            with settings_of(own):
                ObjectStore("own").ensure_bucket()
                registry = Registry()
                registry.promote("courses", "popularity", registry.publish(*made("courses", "popularity")).version)
            server = server_ends.enter_context(serving(own, tmp_path, "/health/ready"))
        deadline = time.monotonic() + 60
        while not (faults := server.wait_until("/health/ready").json()["faults"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "does not answer" in next(iter(faults.values()))
        assert server.client.post("/course_popularity", json=ROW).status_code == 200
        answer = server.client.get("/v2/models/courses.popularity/versions/20200101T000000Z-00000000")
        assert answer.status_code == 503
