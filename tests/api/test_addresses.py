"""The API listens where it is told to, IPv6 included."""

import socket
import subprocess
import sys
import time

import httpx
import pytest

from millrace.local.api import reachable_host
from tests.api.server import RUN
from tests.registry.servers import free_port


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("host", ["::1", "::"])
def test_api_is_reachable_over_ipv6(monkeypatch, variables, host, workers):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    port = free_port()
    for name, value in {**variables, "MILLRACE_API_LIVE": "false"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MILLRACE_API_HOST", host)
    monkeypatch.setenv("MILLRACE_API_PORT", str(port))
    monkeypatch.setenv("MILLRACE_API_WORKERS", workers)
    url = f"http://{reachable_host(host)}:{port}/health/live"
    with subprocess.Popen([sys.executable, "-c", RUN], stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                assert process.poll() is None, process.stderr
                try:
                    assert httpx.get(url, trust_env=False).status_code == 200
                    return
                except httpx.TransportError:
                    assert time.monotonic() < deadline, url
                    time.sleep(0.1)
        finally:
            process.terminate()
            process.wait(40)


def test_non_local_address_is_reported_before_startup(monkeypatch, variables):
    for name, value in {**variables, "MILLRACE_API_HOST": "192.0.2.1"}.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-m", "millrace.cli", "serve"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "MILLRACE_API_HOST='192.0.2.1' can't be listened on" in " ".join(done.stderr.split())
    assert "an address of this machine" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("host", "asked"),
    [("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("api.example", "api.example")],
)
def test_listen_host_maps_to_host_reachable_from_this_machine(host, asked):
    assert reachable_host(host) == asked
