"""Courses: levels, and the row whose title swallowed another record."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from millrace.ingest.check import RecordChecker
from millrace.records.readers import RawRow
from millrace.workloads.courses import WORKLOAD, Course, fault, repair
from millrace.workloads.courses.generator import make_course, make_swallowed

TITLES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40).filter(
    lambda title: title.strip() and "http" not in title
)
COURSES = st.builds(
    lambda seed, title: make_course(random.Random(seed), seed) | {"course_title": title}, st.integers(0, 10**6), TITLES
)


@given(COURSES, COURSES)
def test_swallowed_record_is_detected_and_repair_recovers_both_records(first, second):
    second["course_title"] = second["course_title"].rstrip('"') + "."
    first["course_title"] = first["course_title"].rstrip('"') + "."
    row = make_swallowed(first, second)
    code, field, message = fault(row)
    assert (code, field) == ("swallowed_record", "course_title")
    assert f"the record of course {second['course_id']}" in message
    item, other = repair(row)
    # The subject of the first stood in the line end that was lost.
    assert Course(**item) == Course(**first | {"subject": second["subject"]})
    assert Course(**other) == Course(**second)


@given(COURSES)
def test_row_without_swallowed_record_has_no_fault_and_is_unchanged(row):
    assert fault(row) is None
    assert list(repair(row)) == [row]


@given(st.one_of(st.text(), st.none(), st.integers(), st.text("\n,\"https://a1 '", max_size=60)))
def test_any_title_yields_fault_or_none_and_never_raises(title):
    row = make_course(random.Random(1), 1) | {"course_title": title}
    result = fault(row)
    assert (result is not None) == (isinstance(title, str) and "\n" in title.strip())
    assert 1 <= len(list(repair(row))) <= 2


def test_trailing_line_break_in_title_is_treated_as_padding():
    row = make_course(random.Random(1), 1)
    assert fault(row | {"course_title": f"{row['course_title']}\n"}) is None


def test_two_line_title_without_record_is_rejected_and_not_repairable():
    row = make_course(random.Random(1), 1) | {"course_title": "Learn\nPiano"}
    assert "other text" in fault(row)[2]
    assert list(repair(row)) == [row]


def test_checker_rejects_row_with_swallowed_record_and_keeps_it_intact():
    row = make_swallowed(make_course(random.Random(1), 1), make_course(random.Random(2), 2))
    rejection = RecordChecker(WORKLOAD).check_row(RawRow(1, "raw", row))
    assert (rejection.code, rejection.values, rejection.raw) == ("swallowed_record", row, "raw")


@pytest.mark.parametrize(
    ("given_level", "level"),
    [("All Levels", "All Levels"), (" beginner ", "Beginner Level"), ("EXPERT LEVEL", "Expert Level")],
)
def test_level_is_parsed_in_any_spelling(given_level, level):
    assert Course(**make_course(random.Random(1), 1) | {"level": given_level}).level == level


@pytest.mark.parametrize("value", ["", "Master", None, 1])
def test_invalid_level_is_rejected_with_allowed_levels(value):
    with pytest.raises(ValidationError, match="allowed: All Levels, Beginner Level, Intermediate Level, Expert Level"):
        Course(**make_course(random.Random(1), 1) | {"level": value})
