"""Kafka Connect's Iceberg sinks: one connector a workload, its state, and its failed tasks started again."""

import time
from collections.abc import Iterable
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
    """Ask Connect; while its workers are dealing out the tasks anew, ask again for as long as SETTLED.

    Connect says 409 during a rebalance, and 500 with a sentence when one is about to begin.
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
        if not (response.status_code == 409 or "rebalance" in response.text) or time.monotonic() > until:
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
    response = _call("GET", f"/connectors/{name}/status")
    if response.status_code != 200:
        return {"connector": name, "state": "ABSENT", "tasks": []}
    body = response.json()
    tasks = [
        {"id": task["id"], "state": task["state"], "cause": find_cause(task.get("trace", ""))} for task in body["tasks"]
    ]
    return {"connector": name, "state": body["connector"]["state"], "tasks": tasks}


def find_cause(trace: str) -> str | None:
    """The innermost cause of a Java stack trace, which is the line that says what went wrong."""
    lines = [line for line in trace.splitlines() if line and not line.startswith(("\t", " "))]
    return lines[-1].removeprefix("Caused by: ") if lines else None


def restart_failed(names: Iterable[str] | None = None) -> list[str]:
    """Restart every failed connector or task, of all workloads by default; one sentence each, with its cause."""
    sentences = []
    for name in load_workloads() if names is None else names:
        state = sink_status(name)
        failed = [task for task in state["tasks"] if task["state"] == "FAILED"]
        if not failed and state["state"] != "FAILED":
            continue
        _call("POST", f"/connectors/{state['connector']}/restart?includeTasks=true&onlyFailed=true")
        causes = "; ".join(task["cause"] or "no cause given" for task in failed) or "the connector itself"
        sentences.append(f"{state['connector']} had failed ({causes}) and was restarted.")
    return sentences
