"""Which paths need a key: the document says it, and the middleware does it."""

import re
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from millrace.api.main import create_app
from millrace.errors import BadInputError
from millrace.settings import settings
from millrace.workloads import load_workloads
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
    for cached in (settings, load_workloads):
        cached.cache_clear()
    with inside(create_app()) as client:
        yield client
    for cached in (settings, load_workloads):
        cached.cache_clear()


def test_openapi_document_states_for_every_path_whether_key_is_required(client):
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


def test_undocumented_path_requires_key(client):
    for path in ("/docs/more", "/openapi.json", "/health", "/health/live/more", "/nothing"):
        assert client.get(path).status_code == 401, path


@pytest.fixture
def closed(monkeypatch):
    """The API without keys, which takes events from callers with one."""
    monkeypatch.setenv("MILLRACE_API_POSTING", "keys")
    monkeypatch.setenv("MILLRACE_API_LIVE", "false")
    settings.cache_clear()
    with inside(create_app()) as client:
        yield client
    settings.cache_clear()


def test_without_keys_only_event_endpoints_that_require_one_are_closed(closed):
    document = closed.get("/openapi.json").json()
    posting = {path for path, found in document["paths"].items() if found.get("post", {}).get("security")}
    assert {"/v1/mooc/events", "/v1/shop/events"} <= posting
    assert all(path.endswith("/events") for path in posting)
    for headers in ({}, {"X-API-Key": "guess"}, {"X-API-Key": ""}, {"Authorization": "Bearer guess"}):
        answer = closed.post("/v1/mooc/events", json={}, headers=headers)
        assert answer.status_code == 401
        message = answer.json()["error"]["message"]
        assert "MILLRACE_API_KEYS gives it some" in message
    assert closed.get("/v1/workloads").status_code == 200
    assert closed.post("/course_popularity", json={}).status_code != 401


@pytest.mark.parametrize("keys", [",", " ", "", " , ,"])
def test_empty_key_list_is_rejected(monkeypatch, keys):
    monkeypatch.setenv("MILLRACE_API_KEYS", keys)
    settings.cache_clear()
    try:
        with pytest.raises(BadInputError, match=r"MILLRACE_API_KEYS=.* it is set and holds no key"):
            settings()
    finally:
        monkeypatch.undo()
        settings.cache_clear()
