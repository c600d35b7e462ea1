"""A lake in files of this machine: the tables and the catalog are real, object storage and Kafka are not there."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from millrace.lake import catalog, tables
from millrace.messaging.reader import Message
from millrace.settings import settings
from millrace.workloads import find_workload

ARRIVED = datetime.fromtimestamp(1_700_000_000, UTC)
"""When everything arrived, as in tests/messaging/fake_consumer.py."""
TAKEN = datetime(2023, 11, 1, 12, 30, 0, 123456, tzinfo=UTC)
MOOC = find_workload("mooc")
Land = Callable[..., None]


@pytest.fixture
def local_lake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Land]:
    """The tables of MOOC; what it gives appends rows of offsets (partition, first, last) in one commit."""
    monkeypatch.setenv("MILLRACE_CATALOG_JDBC", f"jdbc:sqlite:{tmp_path}/catalog.db")
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MILLRACE_S3_ENDPOINT", "")
    monkeypatch.setattr(catalog, "warehouse_uri", lambda: f"file://{tmp_path}/warehouse")
    monkeypatch.setattr(tables, "check_not_forgotten", lambda name: None)  # there is no bucket to look into
    settings.cache_clear()
    catalog.load_catalog.cache_clear()
    tables.ensure_tables([MOOC])

    def land(*ranges: tuple[int, int, int]) -> None:
        table = tables.load_table(MOOC.name)
        rows = [make_row(partition, offset) for partition, first, last in ranges for offset in range(first, last + 1)]
        table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))

    yield land
    catalog.load_catalog.cache_clear()
    settings.cache_clear()


def make_row(partition: int, offset: int) -> dict[str, Any]:
    """An enrolment as it landed."""
    return {
        "user_id": f"U{partition:02}",
        "course_id": f"C{offset:02}",
        "enrolled_at": TAKEN if offset % 2 else None,
        "record_id": f"{partition}-{offset}",
        "kafka_topic": "mooc.records",
        "kafka_partition": partition,
        "kafka_offset": offset,
        "kafka_timestamp": ARRIVED,
    }


@pytest.fixture
def dead_letters(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """The dead letters that Kafka still holds, as (topic, partition, offset); `clear()` is what its retention does."""
    held: list[tuple[str, int, int]] = []

    def read_all(topic: str) -> Iterable[Message]:
        assert topic == "connect.rejected"
        for number, position in enumerate(held):
            names = ("__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset")
            headers = {name: str(value).encode() for name, value in zip(names, position, strict=True)}
            yield Message(0, number, 0, None, b"{not json", headers)

    monkeypatch.setattr("millrace.messaging.dead_letters.read_all", read_all)
    return held
