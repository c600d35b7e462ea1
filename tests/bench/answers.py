"""Speeds of answering: one worker on one core, the load generator on another."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import numpy as np
import psutil

from tests.bench import machine
from tests.bench.table import Line
from tests.registry.made import made
from tests.registry.servers import free_port

ONE = {"num_subscribers": 10000, "num_reviews": 300, "num_lectures": 40, "content_duration": 4.5}
SECONDS = 6.0
ROWS = 1000
SINGLE, LIST = "/course_popularity", "/api/cluster_products_by_price_rating"


@contextmanager
def served(module: str, *arguments: str, home: Path, **options: Any) -> Iterator[tuple[psutil.Process, int, float]]:
    """(process, port, seconds until it was ready) of a server; the port is its first argument where it takes any."""
    port, started = free_port(), time.monotonic()
    log = home / f"{module}.log"
    parameters = [str(port), *arguments] if "peers" in module else list(arguments)
    if "env" in options:
        options["env"] = options["env"] | {"MILLRACE_API_PORT": str(port)}
    with machine.running(module, *parameters, log=log, **options) as process:
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=30).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE or time.monotonic() > started + 120:
                raise SystemExit(f"{module} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield process, port, time.monotonic() - started


def load(port: int, path: str, body: Any, home: Path, connections: int, seconds: float, rate: float | None = None):
    """What the load generator found."""
    file = home / "body.json"
    file.write_text(json.dumps(body))
    words = [str(port), path, str(file), str(connections), str(seconds), *([str(rate)] if rate else [])]
    process = machine.start("tests.bench.load", *words, core=machine.client_core(), stdout=subprocess.PIPE)
    output, _ = process.communicate(timeout=seconds + 120)
    document = json.loads(output)
    if process.returncode or document["failed"]:
        sys.exit(f"{path} failed under load: {document}")
    return document


def full(process: psutil.Process, port: int, path: str, body: Any, home: Path, connections: int = 16, seconds=SECONDS):
    """The load generator's findings at full load, with the processor time that the server needed."""
    load(port, path, body, home, connections, 1.0)  # warm
    used: dict[str, Any] = {}
    with machine.share(process, used):
        result = load(port, path, body, home, connections, seconds)
    return result | used


def half(port: int, path: str, home: Path, rate: float) -> dict[str, Any]:
    return load(port, path, ONE, home, 64, SECONDS, rate / 2)


def arrays(home: Path) -> Path:
    """The arrays of two models in a file, for the server by hand."""
    file = home / "arrays.npz"
    kinds = {"popularity": "courses", "price_rating": "products"}
    result = {f"{kind}_{name}": array for kind in kinds for name, array in made(kinds[kind], kind)[1].items()}
    np.savez(file, **result)
    return file


def measure(home: Path, environment: dict[str, str]) -> Iterator[Line]:
    random = Random(1)
    listed = [
        {"discounted_price": round(random.lognormvariate(6, 1.5), 2), "rating": round(random.uniform(2, 5), 1)}
        for _ in range(ROWS)
    ]
    with served("millrace.cli", "serve", home=home, env=environment) as (process, port, ready):
        single = full(process, port, SINGLE, ONE, home)
        paced = half(port, SINGLE, home, single["rate"])
        many = full(process, port, LIST, listed, home, 4)
        memory = machine.memory(process)
    with served("tests.bench.peers.by_hand", str(arrays(home)), home=home) as (process, port, hand_ready):
        hand = full(process, port, "/raw", ONE, home)
        hand_paced = half(port, "/raw", home, hand["rate"])
        hand_many = full(process, port, "/rows", listed, home, 4)
        hand_memory = machine.memory(process)
    with served("tests.bench.peers.flask_spark", home=home) as (process, port, _):
        spark = full(process, port, SINGLE, ONE, home, 4, seconds=10.0)
        spark_paced = load(port, SINGLE, ONE, home, 8, 10.0, spark["rate"] / 2)
        spark_memory = machine.memory(process)

    def lines(what: str, reach: float, unit: str, value, less: bool = False) -> Iterator[Line]:
        """The same row once for each peer."""
        for name, peer in (("hand-written FastAPI, no checks", hand_of), ("Flask, Spark in the server", spark_of)):
            yield Line(what, reach, value(own), unit, name, value(peer), less, own | {"peer": peer})

    own, hand_of, spark_of = single, hand, spark
    yield from lines("single row, one worker", 4000, "requests/s", lambda result: result["rate"])
    own, hand_of, spark_of = paced, hand_paced, spark_paced
    yield from lines("single row, p99 at half load", 10, "ms", lambda result: result["p99"], True)
    rates = [result["rate"] * ROWS for result in (many, hand_many)]
    body = "hand-written FastAPI, list[Row]"
    yield Line(f"list of {ROWS:,} rows", 300_000, rates[0], "rows/s", body, rates[1], detail=many | {"peer": hand_many})
    plain = "hand-written FastAPI, two models"
    yield Line("API ready, all models loaded", 3, ready, "s", plain, hand_ready, True)
    yield Line("API memory, all models loaded", 200, memory, "MB", plain, hand_memory, True, {"spark": spark_memory})
