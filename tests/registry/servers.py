"""S3 servers for tests alone: S3Proxy or MinIO over a temporary folder, and moto in memory for tests that only ask."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from millrace.errors import MillraceError
from millrace.local import jars, java, s3
from millrace.local.child import answers, start
from millrace.settings import settings

KEY, SECRET = "test-key", "test-secret-key"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def s3_server(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """The MILLRACE_ variables that lead to a running server of `kind`; skips where it can't be had."""
    home = folder / kind
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    before = os.environ.get("MILLRACE_LOCAL_S3")
    os.environ["MILLRACE_LOCAL_S3"] = kind
    settings.cache_clear()
    try:
        runtime = Path(shutil.which("true") or "/bin/true")
        if kind == "s3proxy":
            runtime = java.find()
            jars.ensure(["s3proxy"])
        child = s3.prepare(home, runtime, port, KEY, SECRET)
    except MillraceError as error:
        pytest.skip(f"{kind} is not here: {error.message}")
    finally:
        os.environ.pop("MILLRACE_LOCAL_S3")
        if before is not None:
            os.environ["MILLRACE_LOCAL_S3"] = before
        settings.cache_clear()
    with ended(start(child, home / "log", os.environ)) as process:
        wait_ready(kind, process, child.ready, home / "log", child.seconds)
        yield variables_of(port, home)


@contextmanager
def memory_s3(folder: Path) -> Iterator[dict[str, str]]:
    """The MILLRACE_ variables that lead to moto's S3 in a process of its own.

    It honours conditional writes one after the other, but checks no signature and does not make writers at the same
    instant wait for each other: tests of the store, of credentials and of swaps use `s3_server`.
    """
    port, home = free_port(), folder / "moto"
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    with ended(process):
        wait_ready("moto", process, answers(f"http://127.0.0.1:{port}/moto-api/"), home / "log", 60)
        yield variables_of(port, home)


def variables_of(port: int, home: Path) -> dict[str, str]:
    return {
        "MILLRACE_S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "MILLRACE_S3_ACCESS_KEY": KEY,
        "MILLRACE_S3_SECRET_KEY": SECRET,
        "MILLRACE_HOME": str(home / "home"),
    }


def wait_ready(name: str, process: subprocess.Popen, ready: Callable[[], bool], log: Path, seconds: float) -> None:
    """Return when the server answers; fail with its last words if it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, f"{name} did not start in {seconds} s"
        time.sleep(0.1)


@contextmanager
def ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """The process, which is ended with the block."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def settings_of(variables: dict[str, str]) -> Iterator[None]:
    """This process with other settings for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    settings.cache_clear()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        settings.cache_clear()
