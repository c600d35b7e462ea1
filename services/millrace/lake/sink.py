"""Kafka Connect's Iceberg sinks: one connector a workload, its state, and its failed tasks started again."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from millrace.errors import UnavailableError
from millrace.lake import CATALOG, table_name
from millrace.lake.catalog import java_properties
from millrace.messaging.topics import CONTROL, DEAD_LETTERS
from millrace.records.contract import KAFKA_COLUMNS, list_columns
from millrace.runtime import http
from millrace.settings import require_address, settings
from millrace.workloads import load_workloads
from millrace.workloads.base import Workload

REBALANCE_TIMEOUT_S = 60.0  # seconds
PASSING_FAULTS = ("rebalance", "must be in the STOPPED state", "haven't stopped completely yet")
ENDED_STATES = ("FAILED", "UNASSIGNED", "DESTROYED")
CONNECT_TYPES = {"long": "int64", "double": "float64", "boolean": "boolean"}


def connector_name(workload: str) -> str:
    """The name of a workload's sink in Connect."""
    return f"lake-{workload}"


def connector_config(workload: Workload) -> dict[str, str]:
    """The sink of one workload, here. S3 credentials reach it by the worker's environment (java_secrets)."""
    interval = int(settings().commit_interval * 1000)
    config = connector_template(workload) | {
        "iceberg.control.commit.interval-ms": str(interval),
        "errors.deadletterqueue.topic.replication.factor": str(settings().kafka_replication),
    }
    return config | {f"iceberg.catalog.{name}": value for name, value in java_properties().items()}


def connector_template(workload: Workload) -> dict[str, str]:
    """What the sink of a workload is everywhere; the chart's generated files carry it too."""
    kafka_columns = "org.apache.kafka.connect.transforms.InsertField$Value"
    return {
        "connector.class": "org.apache.iceberg.connect.IcebergSinkConnector",
        # One task: upstream's fixes for a zombie coordinator's duplicates are not all released.
        "tasks.max": "1",
        "topics": workload.records_topic,
        "iceberg.tables": table_name(workload.name),
        "iceberg.tables.auto-create-enabled": "false",
        "iceberg.tables.evolve-schema-enabled": "false",
        "iceberg.control.topic": CONTROL,
        "iceberg.control.commit.timeout-ms": "30000",
        "iceberg.catalog": CATALOG,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        # A number that is none goes to the dead letters here; later it would fail the task, for ever.
        "transforms": "cast,position",
        "transforms.cast.type": "org.apache.kafka.connect.transforms.Cast$Value",
        "transforms.cast.spec": ",".join(f"{name}:{kind}" for name, kind in list_casts(workload)),
        "transforms.position.type": kafka_columns,
        "transforms.position.topic.field": "kafka_topic",
        "transforms.position.partition.field": "kafka_partition",
        "transforms.position.offset.field": "kafka_offset",
        "transforms.position.timestamp.field": "kafka_timestamp",
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": DEAD_LETTERS,
        "errors.deadletterqueue.context.headers.enable": "true",
        # A killed worker's place in the group is held this long before another may read its partitions.
        "consumer.override.session.timeout.ms": "10000",
        "consumer.override.heartbeat.interval.ms": "2000",
        "consumer.override.auto.offset.reset": "earliest",
    }


def list_casts(workload: Workload) -> list[tuple[str, str]]:
    """(field, Connect's type) of the fields that must be numbers or flags."""
    pairs = [
        (column.name, CONNECT_TYPES[column.type])
        for column in list_columns(workload.record)
        if column.type in CONNECT_TYPES
    ]
    pairs = [item for item in pairs if item[0] not in dict(KAFKA_COLUMNS)]  # these are added afterwards
    return pairs or [("record_id", "string")]


def _login() -> tuple[str, str] | None:
    """User and password of Connect's REST address, where it asks for them."""
    current = settings()
    if not (current.connect_user and current.connect_password):
        return None
    return current.connect_user, current.connect_password.get_secret_value()


def _call(method: str, path: str, **options: Any) -> httpx.Response:
    """Ask Connect; while its workers are dealing out the tasks anew, ask again for REBALANCE_TIMEOUT_S.

    Connect says 409 during a rebalance, 500 with a sentence when one is about to begin, and 400 or 500 with others
    while a connector is being stopped.
    """
    url, until = require_address("connect_url"), time.monotonic() + REBALANCE_TIMEOUT_S
    while True:
        try:
            response = http.request(method, f"{url}{path}", timeout=30, auth=_login(), **options)
        except httpx.HTTPError as error:
            raise UnavailableError(
                f"Kafka Connect at {url} does not answer ({type(error).__name__}). `millrace status` shows it.",
                code="connect_unavailable",
            ) from error
        if response.status_code == 404 or response.is_success:
            return response
        passing = response.status_code == 409 or any(words in response.text for words in PASSING_FAULTS)
        if not passing or time.monotonic() > until:
            raise UnavailableError(
                f"Kafka Connect refused {method} {path}: {response.text[:500]}", code="connect_refused"
            )
        time.sleep(0.5)


def ensure_sinks(wanted: Iterable[Workload]) -> list[str]:
    """Create or update the connectors whose configuration differs; returns their names."""
    changed = []
    for workload in wanted:
        name, config = connector_name(workload.name), connector_config(workload)
        present = _call("GET", f"/connectors/{name}/config")
        # Connect adds the name and masks nothing, so an unchanged configuration is seen and left alone.
        if present.status_code == 200 and present.json() == config | {"name": name}:
            continue
        _call("PUT", f"/connectors/{name}/config", json=config)
        changed.append(name)
    return changed


def sink_status(workload: str) -> dict[str, Any]:
    """{"connector", "state", "tasks": [{"id", "state", "cause"}]} of a workload's sink."""
    name = connector_name(workload)
    body = _read_status(name)
    if body is None:
        return {"connector": name, "state": "ABSENT", "tasks": []}
    tasks = [
        {"id": task["id"], "state": task["state"], "cause": find_cause(task.get("trace", ""))} for task in body["tasks"]
    ]
    return {"connector": name, "state": body["connector"]["state"], "tasks": tasks}


def _read_status(connector: str) -> dict[str, Any] | None:
    response = _call("GET", f"/connectors/{connector}/status")
    return response.json() if response.status_code == 200 else None


def read_offsets(workload: str) -> dict[tuple[str, int], int]:
    """(topic, partition) -> the offset from which a sink reads on, of those that it has committed."""
    response = _call("GET", f"/connectors/{connector_name(workload)}/offsets")
    entries = response.json()["offsets"] if response.status_code == 200 else []
    return {
        (entry["partition"]["kafka_topic"], int(entry["partition"]["kafka_partition"])): entry["offset"]["kafka_offset"]
        for entry in entries
    }


def stop_sink(workload: str) -> bool:
    """Stop a sink until `resume_sink`; false where there is none. Its tasks have ended on return.

    Raises UnavailableError when they have not within REBALANCE_TIMEOUT_S.
    """
    name, until = connector_name(workload), time.monotonic() + REBALANCE_TIMEOUT_S
    if _call("PUT", f"/connectors/{name}/stop").status_code == 404:
        return False
    while (status := _read_status(name)) is not None:
        running = [task for task in status["tasks"] if task["state"] not in ENDED_STATES]
        if status["connector"]["state"] == "STOPPED" and not running:
            return True
        if time.monotonic() > until:
            raise UnavailableError(f"{name} was told to stop and still runs: {status}", code="connect_refused")
        time.sleep(0.5)
    return False


def move_sink(workload: str, topic: str, partition: int, offset: int) -> None:
    """Let a stopped sink read on from `offset`. Raises UnavailableError while anybody is still in its group."""
    target = {"partition": {"kafka_topic": topic, "kafka_partition": partition}, "offset": {"kafka_offset": offset}}
    _call("PATCH", f"/connectors/{connector_name(workload)}/offsets", json={"offsets": [target]})


def resume_sink(workload: str) -> None:
    """Let a stopped sink run again."""
    _call("PUT", f"/connectors/{connector_name(workload)}/resume")


def find_cause(trace: str) -> str | None:
    """The innermost cause of a Java stack trace, which is the line that says what went wrong."""
    lines = [line for line in trace.splitlines() if line and not line.startswith(("\t", " "))]
    return lines[-1].removeprefix("Caused by: ") if lines else None


@dataclass(frozen=True)
class SinkFailure:
    """A sink that has failed, itself or in a task: the stack traces of its tasks."""

    connector: str
    traces: tuple[str, ...]


def find_failure(workload: str) -> SinkFailure | None:
    """What has failed of a workload's sink; None where it runs, was stopped or is absent."""
    name = connector_name(workload)
    body = _read_status(name)
    if body is None:
        return None
    traces = tuple(task.get("trace", "") for task in body["tasks"] if task["state"] == "FAILED")
    return SinkFailure(name, traces) if traces or body["connector"]["state"] == "FAILED" else None


def restart_sink(failure: SinkFailure) -> str:
    """Restart what has failed of a sink; a sentence with its cause."""
    _call("POST", f"/connectors/{failure.connector}/restart?includeTasks=true&onlyFailed=true")
    causes = "; ".join(find_cause(trace) or "no cause given" for trace in failure.traces) or "the connector itself"
    return f"{failure.connector} had failed ({causes}) and was restarted."


def restart_failed(names: Iterable[str] | None = None) -> list[str]:
    """Restart every failed connector or task, of all workloads by default; one sentence each, with its cause."""
    failures = (find_failure(name) for name in (load_workloads() if names is None else names))
    return [restart_sink(failure) for failure in failures if failure]
