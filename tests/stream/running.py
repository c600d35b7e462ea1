"""The stream as a process of its own, and what it is asked."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson

from millrace.local import ports
from millrace.messaging.fence import read_current
from millrace.runtime import http
from millrace.settings import REPOSITORY
from tests import waiting

PATIENCE = 300.0
until = partial(waiting.until, seconds=PATIENCE)


class Running:
    """A stream of `urls`; batches are small, so that a test sees several."""

    def __init__(self, log: Path, rows: int = 400):
        self.log, self.port = log, ports.find_free_port()
        self.environment = os.environ | {
            "MILLRACE_METRICS_PORT": str(self.port),
            "MILLRACE_SPARK_MASTER": "local[2]",
            "MILLRACE_SPARK_MEMORY": "600m",
            "MILLRACE_STREAM_INTERVAL": "0.2",
            "MILLRACE_STREAM_ROWS": str(rows),
        }
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "spark-apps/stream.py"), "urls"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )

    def metrics(self) -> dict[str, float]:
        """Values by name, those with a further label by `name{label}`; empty where nothing answers."""
        try:
            text = http.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text
        except httpx.HTTPError:
            return {}
        results = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                results[name.removeprefix("millrace_stream_").replace('{workload="urls"}', "")] = float(value)
        return results

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def reads(self) -> bool:
        assert self.process.poll() is None, self.output()[-3000:]
        return self.metrics().get("running") == 1

    def wait_reading(self) -> None:
        until(self.reads, "a running stream")

    def kill(self) -> None:
        """Kill -9 of Python, JVM and workers, as the end of a pod."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def running(log: Path, **options: Any) -> Iterator[Running]:
    result = Running(log, **options)
    try:
        yield result
    finally:
        if result.process.poll() is None:
            result.kill()


def deltas() -> dict[str, Any]:
    """The deltas topic as a reader of all of it has it."""
    results: dict[str, Any] = {}
    for message in read_current("urls.deltas"):
        key = (message.key or b"").decode()
        if message.value is None:
            results.pop(key, None)
        else:
            results[key] = orjson.loads(message.value)
    return results
