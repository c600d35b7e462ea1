"""Generated rows: the same for the same seed, dirty as the real ones, and every one accounted for."""

import itertools
import random

import orjson
import pytest

from millrace.ingest.check import RecordChecker
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.contract import Rejection
from millrace.records.readers import RawRow
from millrace.workloads import find_workload, load_workloads

ROWS = 3000
ALL = pytest.mark.parametrize("workload", load_workloads().values(), ids=load_workloads())


def made(workload, rows: int = ROWS, seed: int = 4) -> list[dict]:
    return list(workload.generate(random.Random(seed), rows))


def checked(workload, table: list[dict]):
    checker = RecordChecker(workload)
    report = list(checker.check(RawRow(number, str(row), row) for number, row in enumerate(table)))
    return report, checker.counts


@ALL
def test_same_seed_gives_same_rows(workload):
    assert made(workload) == made(workload)


@ALL
def test_different_seed_gives_different_rows(workload):
    assert made(workload) != made(workload, seed=5)


@ALL
def test_requested_row_count_is_generated_with_all_fields_as_text_or_none(workload):
    table = made(workload)
    assert len(table) == ROWS
    assert all(tuple(row) == workload.fields for row in table)
    assert all(value is None or isinstance(value, str) for row in table for value in row.values())


@ALL
def test_zero_rows_or_one_row_can_be_generated(workload):
    assert (made(workload, 0), len(made(workload, 1))) == ([], 1)


@ALL
def test_counts_add_up_and_most_rows_are_accepted(workload):
    _, counts = checked(workload, made(workload))
    assert counts.read == ROWS == counts.accepted + sum(counts.rejected.values()) + counts.duplicates
    assert 0.95 * ROWS < counts.accepted < ROWS
    assert counts.rejected


@ALL
def test_record_of_every_accepted_row_is_accepted_again(workload):
    table = made(workload)
    for row, outcome in zip(table, checked(workload, table)[0], strict=True):
        if isinstance(outcome, AcceptedRecord):
            record = workload.record(**workload.mend(row) or row)
            assert workload.record(**record.model_dump()) == record


@ALL
def test_every_model_feature_is_present_in_most_records(workload):
    both = zip(*cleaned(workload), strict=True)
    records = [workload.record(**workload.mend(row) or row) for row, told in both if isinstance(told, AcceptedRecord)]
    for feature in itertools.chain.from_iterable(model.features for model in workload.clusterings):
        known = sum(getattr(record, feature.field) is not None for record in records)
        assert known > 0.6 * len(records)


def cleaned(workload) -> tuple[list[dict], list]:
    table = made(workload, 500)
    return table, checked(workload, table)[0]


def test_generated_courses_reproduce_defects_of_real_file():
    courses = find_workload("courses")
    table = made(courses)
    outcomes, counts = checked(courses, table)
    assert {"swallowed_record", "not_a_count", "out_of_range", "not_a_date", "unknown_level"} <= set(counts.rejected)
    assert counts.duplicates
    assert {"4.5 hours", "43 mins"} <= {row["content_duration"] for row in table}
    assert {"True", "true"} <= {row["is_paid"] for row in table}
    assert any(row["course_title"] != row["course_title"].strip() for row in table)
    for row, outcome in zip(table, outcomes, strict=True):
        if isinstance(outcome, Rejection) and outcome.code == "swallowed_record":
            assert [courses.record(**one) for one in courses.repair(row)]


def test_generated_purchases_reproduce_defects_of_real_file():
    shop = find_workload("shop")
    outcomes, counts = checked(shop, made(shop))
    assert {"bad_id", "not_a_date", "not_money"} == set(counts.rejected)
    assert counts.duplicates
    assert 0.12 * ROWS < counts.repaired < 0.2 * ROWS
    accepted = [orjson.loads(one.value) for one in outcomes if isinstance(one, AcceptedRecord)]
    assert all(any(row[name] is None for row in accepted) for name in ("user_id", "event_time"))
    assert any(row["price"] == 0 for row in accepted)
    times = [row["event_time"] for row in accepted if row["event_time"]]
    assert times != sorted(times)


def test_generated_enrolments_reproduce_defects_of_real_exports():
    mooc = find_workload("mooc")
    _, counts = checked(mooc, made(mooc))
    assert {"bad_id", "not_a_date"} == set(counts.rejected)
    assert counts.duplicates


def test_generated_products_reproduce_defects_of_real_file():
    products = find_workload("products")
    table = made(products)
    _, counts = checked(products, table)
    assert {"bad_grouping", "out_of_range"} == set(counts.rejected)
    assert counts.duplicates
    assert counts.conflicts
    assert {"|"} < {row["rating"] for row in table}
    assert {""} < {row["rating_count"] for row in table}
    assert any(row["actual_price"].count(",") == 2 for row in table)
