"""The API as a child of the stack: ready as soon as it lives, models or not."""

import sys

from millrace.local.child import Child, answers


def prepare(port: int) -> Child:
    command = [sys.executable, "-m", "millrace.cli", "serve"]
    return Child("api", command, port, answers(f"http://127.0.0.1:{port}/health/live"))
