"""A lake for tests alone, in pyiceberg's catalog in a file over moto's S3, and the stand-ins of a sink that fails."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from millrace.lake import catalog, tables
from millrace.lake.backup import open_store
from millrace.messaging.reader import TopicPartition
from millrace.messaging.topics import DEAD_LETTERS
from millrace.registry.store import ObjectStore
from tests.lake.connect_server import ConnectServer, serve
from tests.lake.skipping import PARTITION, POISONED, RENTALS, TOPIC, Producer, record, trace
from tests.messaging import fake_consumer
from tests.messaging.fake_consumer import FakeConsumer, Messages
from tests.registry.servers import memory_s3, settings_of


@pytest.fixture(scope="package")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with memory_s3(tmp_path_factory.mktemp("lake")) as variables:
        yield variables


@pytest.fixture
def lake(memory: dict[str, str], tmp_path: Path) -> Iterator[ObjectStore]:
    """The bucket of an empty lake."""
    bucket = f"lake-{uuid.uuid4().hex[:12]}"
    variables = {"MILLRACE_LAKE_BUCKET": bucket, "MILLRACE_CATALOG_JDBC": f"jdbc:sqlite:{tmp_path}/catalog.db"}
    with settings_of(memory | variables):
        catalog.load_catalog.cache_clear()
        store = open_store()
        store.ensure_bucket()
        yield store
        catalog.load_catalog().engine.dispose()
        catalog.load_catalog.cache_clear()


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A sink that has committed up to offset 20 and fails at 30 of 60 records."""
    local = SqlCatalog("iceberg", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/lake")
    monkeypatch.setattr(tables, "load_catalog", lambda: local)
    monkeypatch.setattr(tables, "check_not_forgotten", lambda name: None)  # there is no bucket to look into
    tables.ensure_tables([RENTALS])
    records = [(b"k", record(number)) for number in range(60)]
    records[POISONED] = (b"poisoned", record(POISONED, "2026-13-45T00:00:00Z"))
    messages: Messages = {
        TopicPartition(TOPIC, PARTITION): records,
        TopicPartition(RENTALS.rejected_topic, 0): [],
        TopicPartition(DEAD_LETTERS, 0): [],
    }
    fake_consumer.install(monkeypatch, lambda **options: FakeConsumer(messages)(**options))  # pyright: ignore
    for module in ("millrace.lake.sink_watch", "millrace.ingest.rejected_rows"):
        monkeypatch.setattr(f"{module}.make_producer", lambda: Producer(messages))
    connect = ConnectServer("lake-rentals", TOPIC)
    connect.offsets[PARTITION] = 20
    connect.fail(trace(POISONED))
    with serve(connect) as address, settings_of({"MILLRACE_CONNECT_URL": address, "MILLRACE_HOME": str(tmp_path)}):
        yield SimpleNamespace(connect=connect, messages=messages, records=records, home=tmp_path)
