"""Running load.py around a block."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster.release import ROOT


@contextmanager
def asked(url: str, callers: int, *, pause: float = 0.0, patient: bool = False) -> Iterator[dict[str, Any]]:
    """The dictionary is filled with what load.py counted when the block ends; `pause` in seconds, of each caller."""
    command = [sys.executable, "-m", "tests.cluster.load", url, str(callers), str(pause)]
    command += ["PATIENT"] if patient else []
    counted: dict[str, Any] = {}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield counted
        finally:
            output, _ = process.communicate(timeout=120)
    counted.update(json.loads(output))
