"""Passwords in URLs are nowhere stored: not in records, not in rejected rows."""

import csv
import io
import json

import orjson
import pytest

from millrace.ingest.check import RecordChecker
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.credentials import remove_password
from millrace.records.readers import RawRow
from millrace.workloads import find_workload

URLS, COURSES = find_workload("urls"), find_workload("courses")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://user:secret@x.example/a", "https://x.example/a"),
        ("HTTPS://user:secret@x.example", "HTTPS://x.example"),
        ("//user:secret@x.example/a", "//x.example/a"),
        ("https://:secret@x.example/", "https://x.example/"),
        ("https://user:@x.example/", "https://x.example/"),
        ("https://me@mail.example:secret@x.example/", "https://x.example/"),
        ("https://user:se:cr@et@x.example:8443/a?b=c@d", "https://x.example:8443/a?b=c@d"),
        ("https://user:my secret@x.example/a b@c", "https://x.example/a b@c"),
        (" //us er:my secret@x.example", " //x.example"),
        ("https://user:secret@[2001:db8::1]:80/", "https://[2001:db8::1]:80/"),
        ("https://web.example/save/https://user:secret@x.example/", "https://web.example/save/https://x.example/"),
        *((same, same) for same in ("https://user@x.example/", "https://x.example:80/@me", "a:b@c", "12:30 // me@x")),
        *((same, same) for same in ("https://x.example/a:b@c", "http://[::1]:80/?x=@", "see http://x:80 or me@y")),
        *(
            (same, same)
            for same in ("http://x:80 or me@y.example is it", "https://x.example:80 me@", "https://x:80/ a@b")
        ),
    ],
)
def test_only_user_and_password_are_removed_from_url(url, kept):
    assert remove_password(url) == kept


def page(**changes) -> dict:
    values = {"id": "1", "url": "https://user:secret@x.example/a", "creation_time": "2023-01-01", "title": "t"}
    return values | changes


def outcome(values: dict | None, raw: str, fault=None, result=URLS):
    checker = RecordChecker(result, "it")
    return checker.check_row(RawRow(1, raw, values, fault)), checker.counts


def test_page_is_read_without_password_and_counted_as_repaired():
    values = page()
    outcomes, counts = outcome(values, orjson.dumps(values).decode())
    assert isinstance(outcomes, AcceptedRecord)
    assert orjson.loads(outcomes.value)["url"] == "https://x.example/a"
    assert (counts.accepted, counts.repaired) == (1, 1)


@pytest.mark.parametrize("field", ["url", "title"])
@pytest.mark.parametrize("write", [lambda v: orjson.dumps(v).decode(), lambda v: ",".join(v.values())])
def test_rejected_row_contains_no_password_in_any_field(field, write):
    values = page(creation_time="soon") | {field: "https://user:secret@x.example/a"}
    report, _ = outcome(values, write(values))
    body = report.as_json("urls").decode()
    assert report.code == "not_a_date"
    assert "secret" not in body
    assert "x.example/a" in body


@pytest.mark.parametrize(
    "raw",
    [
        "1,https://user:secret@x.example/a",
        '{"url":"https:\\/\\/user:secret@x.example","id":',
        "//user:secret@x.example",
    ],
)
def test_unparsable_row_contains_no_password(raw):
    outcomes, counts = outcome(None, raw, ("bad_csv", "it is none"))
    assert "secret" not in outcomes.as_json("urls").decode()
    assert "x.example" in outcomes.raw
    assert counts.repaired == 1


@pytest.mark.parametrize("password", ['se"cret', "my secret", "se,cret", "sécret", "se'c|r;et", 'my "secret" of @all'])
@pytest.mark.parametrize("form", ["csv", "json", "ascii"])
def test_rejected_row_contains_no_password_in_any_notation(password, form):
    values = page(creation_time="soon", url=f"https://user:{password}@x.example/a")
    if form == "csv":
        buffer = io.StringIO()
        csv.writer(buffer).writerow(values.values())
        raw = buffer.getvalue()
    else:
        raw = json.dumps(values, ensure_ascii=form == "ascii")
    rejection, counts = outcome(values, raw)
    assert rejection.code == "not_a_date"
    body = rejection.as_json("urls").decode()
    assert not any(part in body for part in ("user:", "cret", "cr;et", "u00e9"))
    assert "https://x.example/a" in rejection.raw
    assert counts.repaired == 1


@pytest.mark.parametrize(
    "raw", ['1,"https://user:se""cret@x.example/a"', '{"url":"https://user:se\\"cret@x.example/a","id":']
)
def test_unparsable_row_contains_no_quoted_password(raw):
    rejection, counts = outcome(None, raw, ("bad_csv", "it is not CSV"))
    assert "cret" not in rejection.raw
    assert "//x.example/a" in rejection.raw
    assert counts.repaired == 1


def test_passwords_inside_lists_and_objects_are_removed():
    values = page(title=[{"a": "https://user:se,cret@x.example"}])
    rejection, _ = outcome(values, json.dumps(values))
    assert rejection.values["title"] == [{"a": "https://x.example"}]
    assert "cret" not in rejection.raw


def test_password_before_escaped_at_sign_or_inside_list_is_removed():
    values = page(title=["https://user:secret@x.example"])
    report, _ = outcome(values, orjson.dumps(values).decode().replace("@", "\\u0040"))
    assert "secret" not in str(report.values)
    values = page()
    report, _ = outcome(values, orjson.dumps(values).decode().replace("@", "\\u0040"))
    assert orjson.loads(report.value)["url"] == "https://x.example/a"


def test_other_workloads_also_remove_passwords():
    values = dict.fromkeys(COURSES.fields, "1") | {"url": "https://user:secret@c.example/1", "level": "beginner"}
    values |= {"published_timestamp": "2017-01-18T20:58:58Z"}
    outcomes, counts = outcome(values, ",".join(values.values()), result=COURSES)
    assert orjson.loads(outcomes.value)["url"] == "https://c.example/1"
    assert counts.repaired == 1


def test_row_with_unrelated_at_signs_is_unchanged():
    values = page(url="https://x.example/@me", title="me@x.example, 12:30")
    outcomes, counts = outcome(values, orjson.dumps(values).decode())
    assert orjson.loads(outcomes.value)["title"] == "me@x.example, 12:30"
    assert counts.repaired == 0
