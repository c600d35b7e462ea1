"""Which paths need a key: the document says it, and the middleware does it."""

import re
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from millrace.api.main import create_app
from millrace.settings import settings
from millrace.workloads import workloads
from tests import sixth
from tests.api.inside import inside


@pytest.fixture
def client(monkeypatch):
    """The API with keys, and with a workload whose name is that of an open path's folder."""
    module = ModuleType("tests.health")
    module.WORKLOAD = replace(sixth.WORKLOAD, name="health", endpoints=())
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv("MILLRACE_WORKLOAD_MODULES", f"tests.sixth,{module.__name__}")
    monkeypatch.setenv("MILLRACE_API_KEYS", "a-key")
    monkeypatch.setenv("MILLRACE_API_LIVE", "false")
    for cached in (settings, workloads):
        cached.cache_clear()
    with inside(create_app()) as client:
        yield client
    for cached in (settings, workloads):
        cached.cache_clear()


def test_the_document_tells_of_every_path_whether_it_needs_a_key(client):
    document = client.get("/openapi.json", headers={"X-API-Key": "a-key"}).json()
    assert any(path.startswith("/v1/health/") for path in document["paths"])
    open_paths = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            with client.stream(method, re.sub(r"{\w+}", "x", path)) as answer:
                refused = answer.status_code == 401
            assert refused == (operation["security"] == [{"ApiKey": []}]), f"{method} {path}"
            assert refused == ("401" in operation["responses"]), f"{method} {path}"
            if not refused:
                open_paths.add(path)
    assert open_paths == {"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/v1/urls/live"}


def test_what_is_not_documented_needs_a_key(client):
    for path in ("/docs", "/openapi.json", "/health", "/health/live/more", "/nothing"):
        assert client.get(path).status_code == 401, path
