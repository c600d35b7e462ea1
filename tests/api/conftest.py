import uuid

import pytest

from millrace.registry.registry import Registry
from millrace.registry.store import ObjectStore
from millrace.workloads import load_workloads
from tests.api.server import serving
from tests.registry.made import made
from tests.registry.servers import memory_s3, settings_of


@pytest.fixture(scope="package")
def s3_variables(tmp_path_factory):
    """An S3 for tests that only ask; those of swaps have a real server (test_swap.py)."""
    with memory_s3(tmp_path_factory.mktemp("s3")) as variables:
        yield variables


def new_bucket(s3_variables) -> dict[str, str]:
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    with settings_of(s3_variables):
        ObjectStore(bucket).ensure_bucket()
    return s3_variables | {"MILLRACE_MODELS_BUCKET": bucket}


@pytest.fixture(scope="package")
def variables(s3_variables):
    """Settings of a registry in which every model has a champion. Tests that change champions use `fresh`."""
    result = new_bucket(s3_variables)
    with settings_of(result):
        registry = Registry()
        for workload in load_workloads().values():
            for model in workload.models:
                version = registry.publish(*made(workload.name, model.name)).version
                registry.promote(workload.name, model.name, version)
    return result


@pytest.fixture(scope="package")
def server(variables, tmp_path_factory):
    """One server with all champions, for tests that only ask."""
    # Its champions stay: to look for others ten times a second would be half of its work.
    settled = variables | {"MILLRACE_API_POLL_INTERVAL": "2"}
    with serving(settled, tmp_path_factory.mktemp("api"), "/health/ready") as result:
        yield result
        assert "Traceback" not in result.log, result.log[-3000:]


@pytest.fixture
def api(server):
    return server.client


@pytest.fixture
def fresh(s3_variables):
    """Settings of an empty registry of one test's own."""
    return new_bucket(s3_variables)


@pytest.fixture
def registry(fresh):
    with settings_of(fresh):
        yield Registry()
