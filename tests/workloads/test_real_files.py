"""The real files, row by row: the counts that their dirt is known to give."""

from collections import Counter

import orjson
import pytest

from millrace.ingest.check import IngestCounts, RecordChecker
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.contract import Rejection
from millrace.records.readers import open_source, read_rows
from millrace.workloads import find_workload
from tests.conftest import real_file

pytestmark = pytest.mark.real_data


def checked(name: str, file: str) -> tuple[list, IngestCounts]:
    workload = find_workload(name)
    with open_source(str(real_file(file))) as source:
        checker = RecordChecker(workload, source.name)
        return list(checker.check(read_rows(source, workload.fields))), checker.counts


@pytest.fixture(scope="module")
def courses() -> tuple[list, IngestCounts]:
    return checked("courses", "udemy_courses.csv")


@pytest.fixture(scope="module")
def products() -> tuple[list, IngestCounts]:
    return checked("products", "amazon.csv")


def test_every_course_row_has_exactly_one_outcome(courses):
    assert courses[1].as_dict() == {
        "workload": "courses",
        "read": 3678,
        "accepted": 3667,
        "rejected": {"swallowed_record": 5},
        "duplicates": 6,
        "repaired": 0,
        "conflicts": 0,
    }


def test_five_swallowed_rows_are_repaired_into_ten_courses(courses):
    workload = find_workload("courses")
    swallowed = [one for one in courses[0] if isinstance(one, Rejection)]
    repaired = [workload.record(**row) for one in swallowed for row in workload.repair(one.values)]
    known = {orjson.loads(one.value)["course_id"] for one in courses[0] if isinstance(one, AcceptedRecord)}
    assert len(repaired) == len({one.course_id for one in repaired} - known) == 10


def test_every_product_is_accepted_and_its_conflicts_are_counted(products):
    assert products[1].as_dict() == {
        "workload": "products",
        "read": 1465,
        "accepted": 1465,
        "rejected": {},
        "duplicates": 0,
        "repaired": 0,
        "conflicts": 33,
    }


def test_products_have_one_unknown_rating_and_two_unknown_counts(products):
    records = [orjson.loads(one.value) for one in products[0]]
    assert Counter(record["rating"] is None for record in records)[True] == 1
    assert Counter(record["rating_count"] is None for record in records)[True] == 2
    assert len({record["product_id"] for record in records}) == 1351
    assert len({record["record_id"] for record in records}) == 1465


def test_rereading_file_gives_same_ids(courses):
    assert checked("courses", "udemy_courses.csv")[0] == courses[0]
