"""Clusters, timeline and the page of `urls`: the application itself, over a board that is filled by hand."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from millrace.api.main import create_app
from millrace.pages.board import Board
from millrace.serving.delta_follower import DeltaFollower
from millrace.settings import settings
from millrace.web import load_files
from tests.api.inside import inside
from tests.pages import feed

END = datetime(2026, 1, 22, 5, 0, tzinfo=UTC)
BASE = "/v1/urls"


@pytest.fixture(scope="module")
def stores():
    return {"urls": Board()}


@pytest.fixture(scope="module")
def api(stores):
    with inside(create_app(DeltaFollower(stores))) as client:
        yield client


@pytest.fixture
def board(stores):
    """An empty board that the application answers from now."""
    stores["urls"] = Board()
    return stores["urls"]


def test_responses_without_stream_are_empty_not_errors(api, board):
    assert api.get(f"{BASE}/clusters").json() == {
        "model": "urls/pages",
        "version": None,
        "live": False,
        "clusters": [],
    }
    result = api.get(f"{BASE}/timeline").json()
    assert (result["messages"], result["clusters"], result["from"]) == ([], [], None)


def test_clusters_include_words_hosts_pages_and_version(api, board):
    feed.apply(board, *feed.history(END, 5))
    result = api.get(f"{BASE}/clusters").json()
    assert result["version"] == "20261122T040000Z-0123abcd"
    assert [one["cluster"] for one in result["clusters"]] == [0, 1, 2, 3]
    third = result["clusters"][2]
    assert (third["label"], third["size"], third["share"]) == ("code python", 3000, 0.25)
    assert third["words"][0] == ["code", 300]
    assert third["hosts"][1] == ["python.example.com", 80]
    assert third["examples"][0] == {"url": "https://code.example.com/0", "title": "python 0", "at": None}


def test_timeline_ends_at_newest_window_and_covers_requested_minutes(api, board):
    feed.apply(board, *feed.history(END, 100))
    result = api.get(f"{BASE}/timeline", params={"minutes": 5}).json()
    assert (result["from"], result["to"], result["step"]) == ("2026-01-22T04:55:00Z", "2026-01-22T05:00:00Z", 10)
    assert len(result["messages"]) == 30
    assert sum(sum(one["pages"]) for one in result["clusters"]) == sum(result["messages"]) > 0
    assert len(api.get(f"{BASE}/timeline").json()["messages"]) == 100


@pytest.mark.parametrize("path", ["timeline", "live/events"])
@pytest.mark.parametrize("minutes", ["0", "121", "-5", "1.5", "soon", "9" * 30])
def test_out_of_range_minutes_are_rejected_with_parameter_name(api, path, minutes):
    answer = api.get(f"{BASE}/{path}", params={"minutes": minutes})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "minutes"
    assert answer.json()["error"]["allowed"] == "a whole number from 1 to 120"


def test_page_runs_only_its_own_files(api):
    page = api.get(f"{BASE}/live")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=|javascript:|//", page.text.replace("<!doctype", ""))
    for name in re.findall(r'(?:src|href)="(live/[^"]+)"', page.text):
        asset = api.get(f"{BASE}/{name}")
        assert asset.status_code == 200
        assert asset.headers["x-content-type-options"] == "nosniff"


def test_every_script_import_is_served(api):
    for name, (_, content) in load_files().items():
        for imported in re.findall(r'from "\./([^"]+)"', content.decode()):
            answer = api.get(f"{BASE}/live/{imported}")
            assert answer.headers["content-type"].startswith("text/javascript"), f"{name} imports {imported}"


def test_with_keys_page_is_public_and_its_data_is_protected(board, monkeypatch):
    monkeypatch.setenv("MILLRACE_API_KEYS", "correct")
    settings.cache_clear()
    app = create_app(DeltaFollower({"urls": board}))
    monkeypatch.undo()
    settings.cache_clear()
    with inside(app) as api:
        for path in ("live", "live/live.js", "live/live.css"):
            assert api.get(f"{BASE}/{path}").status_code == 200
        for path in ("clusters", "timeline", "live/events", "live/", "live/none.js"):
            assert api.get(f"{BASE}/{path}").status_code == 401
        api.headers["X-API-Key"] = "correct"
        assert api.get(f"{BASE}/clusters").status_code == 200
        paths = api.get("/openapi.json").json()["paths"]
    assert paths[f"{BASE}/live"]["get"]["security"] == []
    assert paths[f"{BASE}/live/events"]["get"]["security"] == [{"ApiKey": []}]


def test_event_stream_is_documented_with_its_data_schema(api):
    document = api.get("/openapi.json").json()
    answers = document["paths"][f"{BASE}/live/events"]["get"]["responses"]
    assert set(answers) == {"200", "401", "403", "422", "503"}
    schema = answers["200"]["content"]["text/event-stream"]["schema"]
    event = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    assert set(event["properties"]) == {"status", "clusters", "timeline"}


def test_only_workloads_with_pages_have_page_routes(api):
    assert api.get("/v1/courses/clusters").status_code == 404
    paths = api.get("/openapi.json").json()["paths"]
    assert {path for path in paths if path.endswith(("/timeline", "/clusters", "/live/events"))} == {
        f"{BASE}/{name}" for name in ("timeline", "clusters", "live/events")
    }


def test_newest_window_may_be_hours_old(api, board):
    feed.apply(board, feed.window(END - timedelta(days=1), {0: 3}))
    assert api.get(f"{BASE}/timeline", params={"minutes": 1}).json()["messages"] == [3]
