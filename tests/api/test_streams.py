"""Server-sent events: when they come, how many may listen, and that they let go."""

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from millrace.api.main import create_app
from millrace.pages.board import Board
from millrace.serving.delta_follower import DeltaFollower
from millrace.settings import settings
from tests.api.inside import inside
from tests.api.server import serving
from tests.pages import feed

END = datetime(2026, 1, 22, 5, 0, tzinfo=UTC)
EVENTS = "/v1/urls/live/events"


def events(answer: httpx.Response):
    """The data of each event. To let go of this is to close the answer."""
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def api(board):
    with inside(create_app(DeltaFollower({"urls": board}))) as client:
        yield client


def test_event_is_sent_immediately_and_after_every_change_without_loss(api, board):
    with api.stream("GET", EVENTS, params={"minutes": 5}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        coming = events(answer)
        first = next(coming)
        assert (first["clusters"]["clusters"], first["timeline"]["messages"]) == ([], [])
        for index in range(3):
            start = END + timedelta(seconds=10 * index)
            feed.apply(board, feed.window(start, {0: index + 1}), feed.stream(start, rows_per_second=index))
            result = next(coming)
            while result["status"]["rows_per_second"] != index:  # an event may fall between the two messages
                result = next(coming)
            assert result["timeline"]["messages"] == list(range(1, index + 2))


def test_event_data_matches_responses_of_other_paths(api, board):
    feed.apply(board, *feed.history(END, 30))
    with api.stream("GET", EVENTS, params={"minutes": 3}) as answer:
        result = next(events(answer))
    assert result["clusters"] == api.get("/v1/urls/clusters").json()
    assert result["timeline"] == api.get("/v1/urls/timeline", params={"minutes": 3}).json()
    assert result["status"]["psi"] == 0.034


def test_one_client_does_not_get_all_streams(board, monkeypatch):
    monkeypatch.setenv("MILLRACE_API_STREAMS_PER_CLIENT", "1")
    settings.cache_clear()
    try:
        with inside(create_app(DeltaFollower({"urls": board}))) as api, api.stream("GET", EVENTS) as first:
            received = events(first)  # held, as the connection ends with it
            next(received)
            refused = api.get(EVENTS)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["error"]["code"] == "too_many_streams"
            assert "allowed: 1 a client, and 127.0.0.1 is one" in refused.json()["error"]["message"]
            # Another client, whose address a proxy of this machine tells, has places of its own.
            with api.stream("GET", EVENTS, headers={"X-Forwarded-For": "192.0.2.7"}) as other:
                assert other.status_code == 200
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_stream_over_limit_is_rejected_until_another_one_closes(s3_variables, tmp_path):
    variables = s3_variables | {"MILLRACE_API_STREAMS": "2", "MILLRACE_API_KEYS": "correct"}
    with serving(variables, tmp_path) as server, ExitStack() as opened:
        server.client.headers["X-API-Key"] = "correct"
        first = opened.enter_context(server.client.stream("GET", EVENTS))
        told_first = events(first)
        next(told_first)
        with server.client.stream("GET", EVENTS) as second:
            told_second = events(second)
            next(told_second)
            refused = server.client.get(EVENTS)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "too_many_streams"
            assert "MILLRACE_API_STREAMS" in refused.json()["error"]["message"]
        # The second one has gone: its place is free as soon as the server has seen that.
        third = opened.enter_context(server.client.stream("GET", EVENTS))
        while third.status_code == 503:
            time.sleep(0.05)
            third = opened.enter_context(server.client.stream("GET", EVENTS))
        told_third = events(third)
        next(told_third)
        # Told to end, the server says the stream to its end: a cut one would raise here.
        server.process.terminate()
        assert (list(told_first), list(told_third)) == ([], [])
        assert server.process.wait(40) == 0
        assert "Traceback" not in server.log
