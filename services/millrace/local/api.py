"""The API as a child of the stack: ready as soon as it lives, models or not."""

import sys

from millrace.local.child import Child, http_probe
from millrace.settings import settings


def make_api(port: int) -> Child:
    """The API as a process of the stack."""
    command = [sys.executable, "-m", "millrace.cli", "serve"]
    return Child("api", command, port, http_probe(f"http://{reachable_host(settings().api_host)}:{port}/health/live"))


def reachable_host(host: str) -> str:
    """How a program on this machine reaches a server that listens on `host`, as it stands in a URL."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
