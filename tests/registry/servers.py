"""An S3 server for tests alone: S3Proxy or MinIO on a free port over a temporary folder."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from millrace.errors import MillraceError
from millrace.local import jars, java, s3
from millrace.local.child import start
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
    process = start(child, home / "log", os.environ)
    try:
        deadline = time.monotonic() + child.seconds
        while not child.ready():
            assert process.poll() is None, (home / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"{kind} did not start in {child.seconds} s"
            time.sleep(0.1)
        yield {
            "MILLRACE_S3_ENDPOINT": f"http://127.0.0.1:{port}",
            "MILLRACE_S3_ACCESS_KEY": KEY,
            "MILLRACE_S3_SECRET_KEY": SECRET,
            "MILLRACE_HOME": str(home / "home"),
        }
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
