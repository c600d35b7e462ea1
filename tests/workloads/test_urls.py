"""Pages: URLs as browsers report them, exports with other columns, and the dirt of both."""

import random
from collections import Counter
from datetime import UTC, datetime

import orjson
import pytest
from pydantic import ValidationError

from millrace.ingest.check import RecordChecker
from millrace.ingest.publish import required_fields, validate_source
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.readers import RawRow
from millrace.workloads import find_workload
from millrace.workloads.urls import URL_LIMIT, Page
from millrace.workloads.urls.generator import generate_themed
from tests.conftest import real_file

URLS = find_workload("urls")


def url_of(url) -> str:
    return Page(creation_time="2023-05-17 20:21:51.822000", id="1", url=url).url


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.com/login/?next=https%3A%2F%2Fwww.example.com",
        "example.com:443",
        "host:443",
        "example.com/news?a=b#c",
        "[2001:db8::1]:80/x",
        "//cdn.example.com/x",
        "https://user@münchner-hefte.de:8443/größe?dclid=�clid!",
        "http://localhost/",
        "https://example.com/" + "a" * (URL_LIMIT - 20),
    ],
)
def test_url_with_host_is_kept_unchanged(url):
    assert url_of(f" {url} ") == url


@pytest.mark.parametrize(
    ("url", "code"),
    [
        *((empty, "no_url") for empty in ("", "  ", "-", "n/a", None)),
        *((none, "no_host") for none in ("soon", "https:///x", "about:blank", "javascript:void(0)", "https://a b/")),
        *(
            (none, "no_host")
            for none in ("mailto:me@example.com", "C:\\news.html", "me@example.com", "https://1.2.3.999")
        ),
        *((other, "bad_scheme") for other in ("ftp://example.com", "chrome://newtab/", "file://host/x")),
        ("https://example.com/" + "a" * URL_LIMIT, "url_too_long"),
        (7, "not_text"),
    ],
)
def test_invalid_url_is_rejected_with_code_and_allowed_values(url, code):
    with pytest.raises(ValidationError) as refused:
        url_of(url)
    (error,) = refused.value.errors()
    assert (error["type"], error["loc"]) == (code, ("url",))
    assert "allowed: " in error["msg"]


def test_password_in_url_is_rejected_without_being_shown():
    with pytest.raises(ValidationError) as refused:
        url_of("https://user:secret@example.com/")
    (error,) = refused.value.errors(include_input=False)
    assert error["type"] == "has_password"
    assert "secret" not in str(error)


def test_export_may_name_time_created_at_and_omit_keywords():
    result = Page.model_validate(
        {"id": 11966167, "title": "iPhone 7", "url": "http://x.com", "created_at": "9/7/2016 18:52"}
    )
    assert result.creation_time == datetime(2016, 9, 7, 18, 52, tzinfo=UTC)
    assert (result.keywords, result.description) == ("", "")
    assert required_fields(URLS) == ("id", "url")


@pytest.mark.parametrize(
    ("parameters", "code", "field"),
    [({}, "missing", "creation_time"), ({"created_at": "soon"}, "not_a_date", "created_at")],
)
def test_page_without_valid_time_is_rejected(parameters, code, field):
    with pytest.raises(ValidationError) as refused:
        Page.model_validate({"id": "1", "url": "http://x.com"} | parameters)
    assert [(error["type"], error["loc"][0]) for error in refused.value.errors()] == [(code, field)]


def test_generated_pages_reproduce_defects_of_real_exports():
    table = [row for _, row in generate_themed(random.Random(4), 3000)]
    checker = RecordChecker(URLS)
    report = list(checker.check(RawRow(number, str(row), row) for number, row in enumerate(table)))
    assert set(checker.counts.rejected) == {"no_url", "no_host", "bad_scheme", "not_a_date", "bad_id"}
    assert 0.98 * len(table) < checker.counts.accepted
    assert checker.counts.duplicates
    pages = [orjson.loads(one.value) for one in report if isinstance(one, AcceptedRecord)]
    assert 0.7 < sum(not page["keywords"] for page in pages) / len(pages) < 0.8
    assert max(len(page["url"]) for page in pages) > 300
    assert any(not page["url"].isascii() for page in pages)
    assert any(not page["title"].isascii() for page in pages)
    assert any("://" not in page["url"] and ":443" in page["url"] for page in pages)


def test_generated_shares_drift():
    themes = [theme for theme, _ in generate_themed(random.Random(4), 6000)]
    early, late = (Counter(part) for part in (themes[1000:2000], themes[4000:5000]))
    assert max(early[theme] / late[theme] for theme in early) > 1.4
    assert len(early) == len(late) == 10


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "read", "rejected"),
    [("sample_campaign_data_2023.csv", 100, {}), ("hacker_news.csv", 21_348, {"no_url": 1115})],
)
def test_every_row_with_url_in_real_files_is_accepted(file, read, rejected):
    counts = validate_source(URLS, str(real_file(file)))
    assert (counts.read, counts.rejected, counts.duplicates, counts.repaired) == (read, rejected, 0, 0)
    assert counts.accepted == read - sum(rejected.values())
