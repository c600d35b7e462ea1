"""Speeds of ingesting: generated courses, checked, published and acknowledged by one process."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from millrace.lake.sink import connector_name
from millrace.settings import settings
from tests.bench import machine
from tests.bench.table import Line

ROWS = 150_000


def run_module(module: str, *arguments: str, environment: dict[str, str]) -> dict[str, Any]:
    process = machine.start(module, *arguments, stdout=subprocess.PIPE, env=environment)
    content, _ = process.communicate(timeout=600)
    if process.returncode:
        raise SystemExit(f"{module} {arguments[0]} ended with {process.returncode}")
    return json.loads(content)


def measure(home: Path, environment: dict[str, str]) -> Iterator[Line]:
    file = str(home / "courses.csv")
    made = ["generate", "courses", "--rows", str(ROWS), "--out", file, "--json"]
    run_module("millrace.cli", *made, environment=environment)
    # The sinks would read along on the same cores, and only what Millrace itself publishes.
    httpx.put(f"{settings().connect_url}/connectors/{connector_name('courses')}/pause").raise_for_status()

    def ingested(client: str) -> dict[str, Any]:
        return run_module(
            "millrace.cli",
            "ingest",
            "courses",
            file,
            "--again",
            "--json",
            environment=environment | {"MILLRACE_KAFKA_CLIENT": client},
        )

    def produced(kind: str) -> float:
        result = run_module(
            "tests.bench.peers.producing", kind, settings().kafka_bootstrap, file, environment=environment
        )
        return result["rows"] / result["seconds"]

    size = {"rows": ROWS, "bytes_a_row": round(Path(file).stat().st_size / ROWS)}
    for client, reach, kind, name in (
        ("kafka-python", 25_000, "waiting", "kafka-python, a wait for each row"),
        ("confluent-kafka", 80_000, "unchecked", "bare confluent-kafka, nothing checked"),
    ):
        result, peer = ingested(client), produced(kind)
        rate = result["read"] / result["seconds"]
        yield Line(f"ingest, {client}", reach, rate, "rows/s", name, peer, detail=result | size)
