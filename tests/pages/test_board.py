"""The board: what it keeps of a stream's messages, and what it refuses."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from millrace.errors import BadInputError
from millrace.pages.board import KEPT_S, MAX_POINTS, Board
from tests.pages import feed

END = datetime(2026, 1, 22, 5, 0, tzinfo=UTC)


@pytest.fixture
def board():
    return Board()


def test_empty_board_returns_empty_answers(board):
    assert board.clusters() == []
    assert board.timeline(60)["messages"] == []
    assert (board.status()["version"], board.status()["watermark_age"], board.watermark) == (None, None, None)


def test_timeline_lists_windows_by_cluster_and_fills_gaps_with_zeros(board):
    feed.apply(
        board,
        feed.cluster(0),
        feed.window(END, {0: 3, 1: 4}),
        feed.window(END + timedelta(seconds=30), {1: 5}),
        feed.stream(END + timedelta(seconds=33)),
    )
    timeline = board.timeline(60)
    assert (timeline["from"], timeline["to"], timeline["step"]) == ("2026-01-22T05:00:00Z", "2026-01-22T05:00:40Z", 10)
    assert timeline["messages"] == [7, 0, 0, 5]
    assert [(one["cluster"], one["pages"]) for one in timeline["clusters"]] == [(0, [3, 0, 0, 0]), (1, [4, 0, 0, 5])]
    assert [one["label"] for one in timeline["clusters"]] == ["news world", "cluster 1"]
    assert timeline["open"]


def test_last_step_closes_once_later_page_arrives(board):
    feed.apply(board, feed.window(END, {0: 3}), feed.stream(END + timedelta(seconds=10)))
    assert not board.timeline(60)["open"]


@pytest.mark.parametrize("minutes", [1, 7, 30, 60, 119, 120])
@pytest.mark.parametrize("shift", [0, 10, 20, 50])
def test_timeline_counts_every_page_of_its_steps_within_point_limit(board, minutes, shift):
    end = END + timedelta(seconds=shift)
    feed.apply(board, *feed.history(end, 720))
    timeline = board.timeline(minutes)
    messages = [one for one in feed.history(end, 720)[4:-1] if one[1]["start"] >= timeline["from"]]
    asked_for = end - timedelta(minutes=minutes)
    assert abs(datetime.fromisoformat(timeline["from"]) - asked_for) < timedelta(seconds=timeline["step"])
    assert minutes == 120 or timeline["from"] >= feed.iso(asked_for)
    assert sum(timeline["messages"]) == sum(value["total"] for _, value in messages)
    assert [sum(step) for step in zip(*(one["pages"] for one in timeline["clusters"]), strict=True)] == timeline[
        "messages"
    ]
    assert len(timeline["messages"]) <= MAX_POINTS
    assert timeline["to"] >= feed.iso(end)


def test_duplicate_message_changes_no_answer(board):
    feed.apply(board, *feed.history(END, 20))
    before = board.timeline(60), board.clusters()
    feed.apply(board, *feed.history(END, 20))
    assert (board.timeline(60), board.clusters()) == before


def test_tombstone_removes_window_and_cluster(board):
    feed.apply(board, *feed.history(END, 3))
    feed.apply(
        board, ("cluster/3", None), (feed.window(END - timedelta(seconds=30), {})[0], None), ("cluster/77", None)
    )
    assert [one["cluster"] for one in board.clusters()] == [0, 1, 2]
    assert len(board.timeline(60)["messages"]) == 2


def test_windows_older_than_two_hours_expire(board):
    feed.apply(board, *(feed.window(END + timedelta(seconds=10 * place), {0: 1}) for place in range(1000)))
    assert sum(board.timeline(120)["messages"]) == KEPT_S // 10
    assert len(board._windows) == KEPT_S // 10


def test_stream_downtime_is_shown_as_empty(board):
    feed.apply(board, feed.window(END - timedelta(seconds=3600), {0: 9}), feed.window(END, {0: 1}))
    assert board.timeline(5)["messages"] == [0] * 29 + [1]
    assert sum(board.timeline(61)["messages"]) == 10


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("window/2026-01-22T05:00:00Z", b"no JSON"),
        ("window/2026-01-22T05:00:00Z", b'{"start":"2026-01-22T05:00:00Z","seconds":0,"counts":{},"total":0}'),
        ("window/2026-01-22T05:00:00Z", b'{"start":"2026-01-22T05:00:00Z","seconds":10,"counts":{"0":-1},"total":0}'),
        ("window/yesterday", b"{}"),
        ("window/2026-01-22T05:00:00", b"{}"),
        ("cluster/one", b"{}"),
        ("cluster/1", b'{"cluster":1,"label":"a","size":1,"share":7}'),
        ("stream", b'{"psi":NaN}'),
        ("elsewhere", b"{}"),
    ],
)
def test_invalid_stream_message_is_rejected_and_changes_nothing(board, key, value):
    feed.apply(board, *feed.history(END, 3))
    before = board.timeline(60), board.clusters(), board.changed
    with pytest.raises(BadInputError) as refused:
        board.apply(key, value, int(END.timestamp() * 1000))
    assert key.split("/")[0] in refused.value.message
    assert (board.timeline(60), board.clusters(), board.changed) == before


def test_window_years_ahead_is_rejected_and_evicts_no_other_window(board):
    feed.apply(board, feed.window(END, {0: 1}))
    with pytest.raises(BadInputError, match="begins after"):
        feed.apply(board, feed.window(datetime(2099, 1, 1, tzinfo=UTC), {0: 1}))
    assert board.timeline(60)["messages"] == [1]


def test_external_texts_are_truncated(board):
    feed.apply(board, feed.cluster(0, label="x" * 9000, examples=[{"url": "u" * 9000, "title": "t" * 9000}] * 50))
    (result,) = board.clusters()
    assert (len(result["label"]), len(result["examples"])) == (300, 5)
    assert (len(result["examples"][0]["title"]), len(result["examples"][0]["url"])) == (300, 2000)


def test_every_change_is_counted_and_status_reports_pages_and_ages(board):
    before = board.changed
    feed.apply(board, *feed.history(datetime.now(UTC) - timedelta(seconds=100), 2))
    assert board.changed == before + 7
    status = board.status()
    assert status["pages"] == 1000 + 2000 + 3000 + 4000
    assert status["watermark_age"] >= 100
    assert board.describe() == {"version": status["version"], "offsets": {"0": 812}}


def test_concurrent_readers_always_see_consistent_board(board):
    feed.apply(board, *feed.history(END, 50))
    stop, wrong = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            timeline = board.timeline(60)
            sums = [sum(step) for step in zip(*(one["pages"] for one in timeline["clusters"]), strict=True)]
            if sums != timeline["messages"]:
                wrong.append(timeline)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for seed in range(10):
        feed.apply(board, *feed.history(END + timedelta(seconds=10 * seed), 50, seed))
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong
