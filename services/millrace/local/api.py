"""The API as a child of the stack: ready as soon as it lives, models or not."""

import sys

from millrace.local.child import Child, answers
from millrace.settings import settings


def prepare(port: int) -> Child:
    """The API as a process of the stack."""
    host = settings().api_host
    host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    command = [sys.executable, "-m", "millrace.cli", "serve"]
    return Child("api", command, port, answers(f"http://{host}:{port}/health/live"))
