"""A lake for tests alone: pyiceberg's catalog in a file over moto's S3, whose buckets are new for each test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.lake import catalog
from millrace.lake.backup import open_store
from millrace.registry.store import ObjectStore
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
