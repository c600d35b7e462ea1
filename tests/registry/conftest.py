import uuid
from pathlib import Path

import pytest

from millrace.registry.registry import Registry
from millrace.registry.store import ObjectStore
from tests.registry.servers import memory_s3, s3_server, settings_of

REAL = [
    pytest.param("s3proxy", marks=pytest.mark.engines),
    pytest.param("minio", marks=pytest.mark.engines),
    pytest.param("seaweedfs", marks=[pytest.mark.engines, pytest.mark.thorough]),
]


@pytest.fixture(scope="package", params=["memory", *REAL])
def s3_settings(request, tmp_path_factory):
    """Where a server of each kind answers. What one in memory is too kind for is tried with the real ones alone."""
    folder: Path = tmp_path_factory.mktemp("registry")
    with memory_s3(folder) if request.param == "memory" else s3_server(request.param, folder) as variables:
        yield variables


@pytest.fixture
def store(s3_settings):
    with settings_of(s3_settings):
        result = ObjectStore(f"test-{uuid.uuid4().hex[:12]}")
        result.ensure_bucket()
        yield result


@pytest.fixture
def registry(store):
    return Registry(store)
