"""Events: shifted purchases are put right, lists become enrolments, repeats fall away and repeated purchases stay."""

import gzip
from collections import Counter

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.ingest.check import RecordChecker
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.contract import Rejection
from millrace.records.names import make_field_names
from millrace.records.readers import RawRow, open_source, read_rows
from millrace.workloads import find_workload
from tests.conftest import real_file

SHOP, MOOC = find_workload("shop"), find_workload("mooc")
HEADER = ",".join(SHOP.fields)
WHOLE = "2020-04-24 11:50:39 UTC,2294359932054536986,1515966223509089906,2268,audio,ava,162.01,15159156254419"
SHORT = "2020-06-17 05:50:52 UTC,2333316740945019026,1515966223510174586,,57.85,1515915625492017993"


def outcomes(result, text: str, folder, name: str = "it.csv"):
    (folder / name).write_text(text)
    with open_source(str(folder / name)) as source:
        checker = RecordChecker(result, name)
        needed = tuple(field for field, info in result.record.model_fields.items() if info.is_required())
        return list(checker.check(read_rows(source, needed))), checker.counts


def records(report) -> list[dict]:
    return [orjson.loads(one.value) for one in report if isinstance(one, AcceptedRecord)]


def test_shifted_row_is_repaired_and_counted(tmp_path):
    report, counts = outcomes(SHOP, f"{HEADER}\n{WHOLE}\n{SHORT}\n", tmp_path)
    assert (counts.read, counts.accepted, counts.repaired) == (2, 2, 1)
    short = records(report)[1]
    assert (short["price"], short["user_id"], short["brand"]) == (57.85, "1515915625492017993", "")
    assert short["category_id"] is None


@pytest.mark.parametrize("row", [SHORT.replace("57.85", "a lot"), SHORT + "x", SHORT.rpartition(",")[0]])
def test_ambiguous_short_row_is_rejected_unchanged(tmp_path, row):
    report, counts = outcomes(SHOP, f"{HEADER}\n{row}\n", tmp_path)
    assert isinstance(report[0], Rejection)
    assert (report[0].code, report[0].raw.strip(), counts.repaired) == ("wrong_field_count", row, 0)


def test_duplicate_is_dropped_and_another_order_of_same_product_is_kept(tmp_path):
    again = WHOLE.replace("2294359932054536986", "2294359932054536987")
    report, counts = outcomes(SHOP, f"{HEADER}\n{WHOLE}\n{again}\n{WHOLE}\n", tmp_path)
    assert (counts.accepted, counts.duplicates) == (2, 1)
    assert [one["order_id"][-1] for one in records(report)] == ["6", "7"]


def test_year_1970_and_blank_customer_are_unknown_but_zero_price_is_valid(tmp_path):
    row = WHOLE.replace("2020-04-24 11:50:39", "1970-01-01 00:33:40").replace("162.01,15159156254419", "0,")
    (item,) = records(outcomes(SHOP, f"{HEADER}\n{row}\n", tmp_path)[0])
    assert (item["event_time"], item["user_id"], item["price"]) == (None, None, 0)


@given(st.lists(st.integers(0, 10**19), min_size=1, max_size=9, unique=True), st.booleans())
def test_course_list_becomes_one_enrolment_per_course_in_order(courses, timed):
    line = {"id": "U_1", "course_order": courses}
    if timed:
        line["enroll_time"] = [f"2020-01-0{place + 1} 10:00:00" for place in range(len(courses))]
    checker = RecordChecker(MOOC)
    events = records(checker.check([RawRow(1, "raw", line)]))
    assert [one["course_id"] for one in events] == [str(course) for course in courses]
    assert checker.counts.read == checker.counts.accepted == len(courses)
    assert all((one["enrolled_at"] is not None) == timed for one in events)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"id": "U_1", "course_order": []}, "no_courses"),
        ({"id": "U_1", "course_order": "C_1"}, "no_courses"),
        ({"id": "U_1", "course_order": ["C_1"], "enroll_time": []}, "times_differ"),
        ({"course_order": ["C_1"]}, "bad_id"),
        ({"id": "U_1", "course_order": [None]}, "bad_id"),
    ],
)
def test_ambiguous_or_incomplete_course_list_is_rejected(line, code):
    checker = RecordChecker(MOOC)
    report = list(checker.check([RawRow(1, "raw", line)]))
    assert [one.code for one in report] == [code]
    assert checker.counts.read == 1


def test_one_enrolment_per_line_is_read_from_csv_and_json(tmp_path):
    text = "user_id,course_id,enrolled_at\nU_1,C_1,2020-01-01 10:00:00\nU_1,C_2,\n"
    assert [one["course_id"] for one in records(outcomes(MOOC, text, tmp_path)[0])] == ["C_1", "C_2"]
    line = '{"user_id": "U_1", "course_id": "C_1"}\n'
    assert outcomes(MOOC, line, tmp_path, "it.jsonl")[1].accepted == 1


@pytest.mark.parametrize("column", ["enrolled_at", "enroll_time", "time", "Enroll Time"])
def test_single_enrolment_time_is_read_from_each_column_alias(tmp_path, column):
    text = f"user_id,course_id,{column}\nU_1,C_1,2020-01-01 10:00:00\n"
    (tmp_path / "it.csv").write_text(text)
    with open_source(str(tmp_path / "it.csv")) as source:
        read = read_rows(source, ("user_id", "course_id"), make_field_names(MOOC.record, MOOC.reads))
        assert [one["enrolled_at"] for one in records(RecordChecker(MOOC).check(read))] == ["2020-01-01T10:00:00+00:00"]


def test_json_null_in_text_field_equals_empty_csv_cell(tmp_path):
    empty = f"{HEADER}\n2020-04-24 11:50:39 UTC,1,5,,,,10.5,\n"
    null = dict.fromkeys(SHOP.fields) | {"event_time": "2020-04-24 11:50:39 UTC", "order_id": 1}
    null |= {"product_id": 5, "price": 10.5}
    from_csv, from_json = (
        records(outcomes(SHOP, text, tmp_path)[0])[0] for text in (empty, orjson.dumps(null).decode())
    )
    assert from_csv | {"record_id": ""} == from_json | {"record_id": ""}


@pytest.mark.real_data
def test_every_real_purchase_is_accepted_and_shifted_rows_are_counted():
    with open_source(str(real_file("kz_sample.csv.gz"))) as source:
        checker = RecordChecker(SHOP)
        events = records(checker.check(read_rows(source, ())))
    counts = checker.counts
    assert (counts.read, counts.accepted, counts.repaired, counts.duplicates) == (50_570, 50_570, 8_462, 0)
    unknown = Counter(name for one in events for name in ("event_time", "user_id") if one[name] is None)
    assert unknown == {"event_time": 504, "user_id": 38_912}


@pytest.mark.real_data
def test_every_real_course_list_is_read_completely():
    file = real_file("mooc_users.jsonl.gz")
    with gzip.open(file, "rt") as lines:
        few = [orjson.loads(line) for _, line in zip(range(2000), lines, strict=False)]
    checker = RecordChecker(MOOC)
    list(checker.check(RawRow(number, "raw", line) for number, line in enumerate(few)))
    assert checker.counts.accepted == sum(len(line["course_order"]) for line in few)
