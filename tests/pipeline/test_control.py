"""Rows that a sink has announced and its coordinator has not committed yet survive whatever ends the coordinator."""

import os
import secrets
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import httpx
import orjson
import pytest
from kafka import TopicPartition

from millrace.errors import UnavailableError
from millrace.lake import sink, tables
from millrace.lake.catalog import load_catalog
from millrace.lake.coordinators import coordinator_group, ensure_coordinators
from millrace.local import stack as local
from millrace.messaging.client import open_admin
from millrace.messaging.group_offsets import has_offsets
from millrace.messaging.producer import make_producer
from millrace.messaging.reader import end_offsets
from millrace.messaging.topics import CONTROL, ensure_topics
from millrace.settings import settings
from millrace.workloads import find_workload
from millrace.workloads.base import Workload
from tests.waiting import until

ROWS = 200


@pytest.fixture
def announced(stack) -> Iterator[Workload]:
    """A workload of its own, which the supervisor does not look after."""
    name = f"announced_{secrets.token_hex(3)}"
    workload = replace(find_workload("rentals"), name=name)
    ensure_topics([workload])
    tables.ensure_tables([workload])
    assert ensure_coordinators([workload]) == [coordinator_group(name)]
    sink.ensure_sinks([workload])
    until(lambda: states(name) == ["RUNNING"], f"lake-{name} running", 90)
    yield workload
    login = (settings().connect_user, settings().connect_password.get_secret_value())
    httpx.delete(f"{settings().connect_url}/connectors/lake-{name}", timeout=30, auth=login)
    for table in (name, f"{name}_assignments"):
        load_catalog().drop_table(f"millrace.{table}")


def states(workload: str) -> list[str]:
    try:
        return [task["state"] for task in sink.sink_status(workload)["tasks"]]
    except UnavailableError:
        return []  # Connect is being started again


def publish(workload: Workload, first: int) -> None:
    with closing(make_producer()) as producer:
        for number in range(first, first + ROWS):
            record = {"flat_id": f"F{number}", "rooms": 1, "rent": 1.0, "rating": None, "record_id": f"r{number}"}
            record["listed_at"] = "2026-01-10T08:00:00Z"
            producer.send(workload.records_topic, f"F{number}".encode(), orjson.dumps(record))
        producer.flush()


def landed(workload: Workload) -> list[str]:
    return sorted(
        tables.load_table(workload.name).scan(selected_fields=("record_id",)).to_arrow()["record_id"].to_pylist()
    )


def restart(workload: Workload) -> bool:
    """What the supervisor does for its own workloads."""
    try:
        sink.restart_failed([workload.name])
    except UnavailableError:
        return False
    return states(workload.name) == ["RUNNING"]


def wait_for_rows(workload: Workload, rows: int) -> None:
    until(lambda: restart(workload) and len(landed(workload)) >= rows, f"{rows} rows in the lake", 180)
    assert landed(workload) == sorted(f"r{number}" for number in range(rows))


@pytest.mark.thorough
def test_rebalance_before_first_commit_loses_no_announced_row(stack, announced):
    """The catalog lets nobody write while the first rows are announced; then the coordinator's process is killed."""
    with closing(sqlite3.connect(stack / "catalog.db", isolation_level=None)) as catalog:
        until(lambda: try_to_lock(catalog), "a lock of the catalog")
        publish(announced, 0)
        until(
            lambda: restart(announced) and sum(sink.read_offsets(announced.name).values()) == ROWS, "announcements", 120
        )
        assert landed(announced) == []
        connect = next(child for child in local.stack_status()["children"] if child["name"] == "connect")
        os.kill(connect["pid"], signal.SIGKILL)
        catalog.execute("ROLLBACK")
    wait_for_rows(announced, ROWS)


def try_to_lock(catalog: sqlite3.Connection) -> bool:
    """Keep all others from writing; they may still read."""
    try:
        catalog.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


@pytest.mark.thorough
def test_sink_stopped_for_longer_than_the_control_topic_keeps_goes_on_without_loss(stack, announced):
    """What retention does after a month, done at once: the coordinator's offset is no longer in the topic."""
    publish(announced, 0)
    wait_for_rows(announced, ROWS)
    until(lambda: has_offsets(coordinator_group(announced.name), CONTROL), "the coordinator's first offset")
    assert sink.stop_sink(announced.name)
    publish(announced, ROWS)
    ends = end_offsets(CONTROL)
    with open_admin() as client:
        client.delete_records({TopicPartition(CONTROL, number): end for number, end in ends.items()})
    sink.resume_sink(announced.name)
    wait_for_rows(announced, 2 * ROWS)
