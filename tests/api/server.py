"""The real server as a child process on a free port."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.registry.servers import free_port

LIMIT_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (%d, %d)); "
RUN = "from millrace.api.serve import serve; serve()"


class Server:
    """A running server: `client` speaks to it, `log` is what it said."""

    def __init__(self, process: subprocess.Popen, port: int, log: Path):
        self.process, self.port, self._log = process, port, log
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=30)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_until(self, path: str, status: int = 200, seconds: float = 60) -> httpx.Response:
        """The first answer of `path` with that status."""
        deadline = time.monotonic() + seconds
        while True:
            assert self.process.poll() is None, self.log[-3000:]
            try:
                answer = self.client.get(path)
                if answer.status_code == status:
                    return answer
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"{path} did not answer {status} in {seconds} s\n{self.log[-3000:]}"
            time.sleep(0.05)

    def serves(self, model: str, version: str, seconds: float = 30) -> None:
        """Wait until readiness shows that version."""
        deadline = time.monotonic() + seconds
        while self.wait_until("/health/ready").json()["models"].get(model) != version:
            assert time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.05)

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@contextmanager
def serving(
    variables: dict[str, str],
    folder: Path,
    until: str = "/health/live",
    port: int | None = None,
    files: tuple[int, int] | None = None,
) -> Iterator[Server]:
    """A server with these settings; `files` are its soft and hard limit on open files."""
    port = port or free_port()
    log = folder / f"api-{port}.log"
    environment = {**os.environ, "MILLRACE_API_WORKERS": "1", "MILLRACE_API_POLL_INTERVAL": "0.1"}
    environment |= {"MILLRACE_API_LIVE": "false", **variables}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN if files is None else LIMIT_FILES % files + RUN],
            env={**environment, "MILLRACE_API_PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, port, log)
    try:
        server.wait_until(until)
        yield server
    finally:
        server.client.close()
        if process.poll() is None:
            try:
                server.terminate()
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
