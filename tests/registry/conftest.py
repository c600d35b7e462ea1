import uuid
from pathlib import Path

import pytest

from millrace.registry.registry import Registry
from millrace.registry.store import ObjectStore
from tests.registry.servers import s3_server, settings_of


@pytest.fixture(scope="package", params=["s3proxy", "minio"])
def s3_settings(request, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("registry")
    with s3_server(request.param, folder) as variables:
        yield variables


@pytest.fixture
def store(s3_settings):
    with settings_of(s3_settings):
        found = ObjectStore(f"test-{uuid.uuid4().hex[:12]}")
        found.ensure_bucket()
        yield found


@pytest.fixture
def registry(store):
    return Registry(store)
