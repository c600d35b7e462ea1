"""The report: pictures that are pictures, a page that holds the numbers, and sentences where there is nothing yet."""

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

from millrace.cli.main import app
from millrace.errors import BadInputError
from millrace.pages.board import Board
from millrace.report import charts
from millrace.report.write import MESSAGES, PAGE, SHARES, write_report
from tests.pages import feed
from tests.pages.topic import emptied

END = datetime(2026, 1, 22, 5, 0, tzinfo=UTC)
FOREIGN = "<script>alert(1)</script> $x_1$ 新闻"


@pytest.fixture
def board():
    result = Board()
    feed.apply(result, *feed.history(END, 60))
    return result


def pixels(picture: bytes) -> np.ndarray:
    """(height, width) of colours as 0xRRGGBB."""
    channels = (imread(BytesIO(picture), format="png")[..., :3] * 255).round().astype(np.int32)
    return channels @ np.array([1 << 16, 1 << 8, 1], dtype=np.int32)


def rgb(colour: str) -> int:
    return int(colour[1:], 16)


def test_charts_are_images_with_every_cluster_drawn(board, tmp_path):
    result = write_report("urls", board, tmp_path / "made" / "here", 60)
    assert [Path(file).name for file in result["files"]] == [PAGE, SHARES, MESSAGES]
    assert result["pages"] == sum(board.timeline(60)["messages"])
    shares, messages = ((tmp_path / "made/here" / name).read_bytes() for name in (SHARES, MESSAGES))
    actual = set(np.unique(pixels(shares)).tolist())
    assert {rgb(colour) for colour in charts.COLOURS[:4]} <= actual
    assert rgb(charts.COLOURS[4]) not in actual
    assert rgb(charts.COLOURS[0]) in pixels(messages)


def test_share_is_drawn_with_proportional_height(board):
    timeline = {
        **board.timeline(60),
        "messages": [100] * 60,
        "clusters": [{"cluster": n, "label": str(n), "pages": [count] * 60} for n, count in ((0, 75), (1, 25))],
    }
    drawn = pixels(charts.draw_shares(timeline))
    counts = [(drawn == rgb(colour)).sum(axis=0).max() for colour in charts.COLOURS[:2]]
    assert counts[0] / sum(counts) == pytest.approx(0.75, abs=0.02)


def test_page_contains_numbers_and_loads_no_external_resources(board, tmp_path):
    write_report("urls", board, tmp_path, 60)
    page = (tmp_path / PAGE).read_text()
    timeline = board.timeline(60)
    assert f"{sum(timeline['messages']):,} pages" in page
    for position in (0, 30, 59):
        when = (END - timedelta(seconds=10 * (60 - position))).strftime("%Y-%m-%d %H:%M:%S")
        counts = [timeline["messages"][position], *(one["pages"][position] for one in timeline["clusters"])]
        assert f"{when}</th>{''.join(f'<td class=n>{count:,}</td>' for count in counts)}" in page
    assert "20261122T040000Z-0123abcd" in page
    assert page.count("data:image/png;base64,") == 2
    assert not re.search(r"<(script|link|iframe)|src=\"(?!data:)|@import", page)


def test_untrusted_text_is_not_html_in_page_nor_mathtext_in_chart(board, tmp_path):
    examples = [{"url": "javascript:alert(1)", "title": FOREIGN}, {"url": "http://[", "title": None}]
    feed.apply(board, feed.cluster(0, label=FOREIGN, examples=examples, words=[[FOREIGN, 1]]))
    feed.apply(board, feed.cluster(1, label="_hidden $$"))
    write_report("urls", board, tmp_path, 60)
    results: list[tuple[str, dict]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: results.append((tag, dict(attributes)))  # type: ignore[method-assign]
    parser.feed((tmp_path / PAGE).read_text())
    assert not [tag for tag, _ in results if tag == "script"]
    links = [attributes["href"] for tag, attributes in results if tag == "a"]
    assert links
    assert all(link.startswith("https://") for link in links)


def test_invisible_characters_in_untrusted_pages_are_shown_as_escapes(board, tmp_path):
    title = "bell\x07 null\x00 turned\u202e wide\u200b"
    examples = [
        {"url": "https://x.example/a\u202eb", "title": title},
        {"url": "https://x.example/c", "title": "\x1b[2J"},
    ]
    feed.apply(board, feed.cluster(0, label=title, examples=examples, words=[[title, 1]]))
    write_report("urls", board, tmp_path, 60)
    page = (tmp_path / PAGE).read_text()
    assert page.count(r"bell\x07 null\x00 turned\u202e wide\u200b") >= 3
    assert 'href="https://x.example/c"' in page
    assert not set("\x07\x00\u202e\u200b\x1b") & set(page)


def test_empty_timeline_raises_error_instead_of_drawing_empty_chart():
    with pytest.raises(BadInputError, match="empty"):
        charts.draw_shares(Board().timeline(60))


def run(*arguments: str):
    return CliRunner().invoke(app, ["report", *arguments])


def test_workload_without_pages_is_rejected_listing_those_with_pages(tmp_path):
    done = run("courses", "--out", str(tmp_path), "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["allowed"] == "urls"
    assert run("lakes", "--out", str(tmp_path)).exit_code == 2


def test_command_reads_topic_and_reports_when_it_is_empty(stack, tmp_path):
    with emptied() as publish:
        done = run("urls", "--out", str(tmp_path / "none"), "--json")
        assert done.exit_code == 2
        error = json.loads(done.stdout)["error"]
        assert error["code"] == "nothing_yet"
        assert "millrace stream urls" in error["message"]
        assert not (tmp_path / "none").exists()
        publish(*feed.history(datetime.now(UTC), 12), ("no/such", {}))
        done = run("urls", "--out", str(tmp_path), "--minutes", "1", "--json")
        assert done.exit_code == 0, done.output
        document = json.loads(done.stdout)
        assert (document["clusters"], len(document["files"])) == (4, 3)
        assert all(Path(file).stat().st_size > 1000 for file in document["files"])
