"""Every row ends in one place, is counted there, and keeps its id."""

import random
from collections import Counter
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.ingest.check import RecordChecker
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.contract import Rejection
from millrace.records.duplicates import DuplicateFilter
from millrace.records.readers import RawRow
from millrace.workloads import find_workload
from tests.sixth import WORKLOAD as RENTALS

COURSES, PRODUCTS = find_workload("courses"), find_workload("products")
CELL = st.one_of(st.sampled_from(["1", "2", "4.1", "", "€700", "2026-01-11", "x"]), st.text(max_size=4))
TABLE = st.lists(st.fixed_dictionaries(dict.fromkeys(RENTALS.fields, CELL)), max_size=30)


def raw(values: list[dict]) -> Iterator[RawRow]:
    for number, row in enumerate(values, 1):
        yield RawRow(number, ",".join(map(str, row.values())), row)


def flat(number: int = 1, **changes) -> dict:
    return {"flat_id": f"F{number}", "rooms": "2", "rent": "€700", "listed_at": "2026-01-11", "rating": ""} | changes


def outcomes(values: list[dict], result=RENTALS, seen: DuplicateFilter | None = None):
    checker = RecordChecker(result, "it.csv", seen)
    return list(checker.check(raw(values))), checker.counts


def ids(report: list) -> list[str | None]:
    return [
        orjson.loads(item.value)["record_id"] if isinstance(item, AcceptedRecord) else item and item.record_id
        for item in report
    ]


@given(TABLE)
def test_counts_add_up_to_rows_read(table):
    report, counts = outcomes(table)
    assert counts.read == len(table) == counts.accepted + sum(counts.rejected.values()) + counts.duplicates
    assert counts.accepted == sum(isinstance(one, AcceptedRecord) for one in report)
    assert counts.rejected == Counter(one.code for one in report if isinstance(one, Rejection))


@given(TABLE)
def test_every_rejection_is_a_json_message_naming_its_field(table):
    for outcome in outcomes(table)[0]:
        if isinstance(outcome, Rejection):
            body = orjson.loads(outcome.as_json("rentals"))
            assert body["field"] in RENTALS.fields
            assert body["message"].startswith(f"{body['field']}: ")
            assert body["values"] == table[body["row"] - 1]


@given(TABLE, TABLE)
def test_appending_to_source_keeps_ids_of_existing_rows(old, new):
    assert ids(outcomes(old + new)[0])[: len(old)] == ids(outcomes(old)[0])


def test_similar_rows_have_distinct_ids():
    result = ids(outcomes([flat(), flat(rent="€800"), flat()])[0])
    assert len(set(result)) == 3


def test_exact_repeat_is_a_duplicate_not_a_conflict():
    report, counts = outcomes([flat(), flat()])
    assert report[1] is None
    assert (counts.accepted, counts.duplicates, counts.conflicts) == (1, 1, 0)


def test_repeat_with_different_formatting_is_a_duplicate():
    assert outcomes([flat(), flat(rent=" 700 ")])[1].duplicates == 1


def product(**changes) -> dict:
    return next(PRODUCTS.generate(random.Random(5), 1)) | {"rating": "4.0", "discount_percentage": "9%"} | changes


def test_changed_watched_value_is_a_conflict_and_both_rows_are_accepted():
    _, counts = outcomes([product(), product(rating="3.0"), product(rating="2.0")], PRODUCTS)
    assert (counts.accepted, counts.conflicts) == (3, 1)


def test_changed_unwatched_value_is_not_a_conflict():
    _, counts = outcomes([product(), product(user_name="Ravi")], PRODUCTS)
    assert (counts.accepted, counts.conflicts) == (2, 0)


@pytest.mark.parametrize("workload", [COURSES, PRODUCTS, RENTALS], ids=lambda workload: workload.name)
def test_sqlite_gives_the_same_outcomes_as_memory(workload):
    table = list(workload.generate(random.Random(3), 2000))
    seen = DuplicateFilter(in_memory=7)
    assert outcomes(table, workload) == outcomes(table, workload, seen)
    seen.close()


def test_record_carries_its_key_and_id():
    ((item,), _) = outcomes([flat(7)])
    assert item.key == b"F7"
    assert orjson.loads(item.value) == {
        "flat_id": "F7",
        "rooms": 2,
        "rent": 700.0,
        "listed_at": "2026-01-11T00:00:00+00:00",
        "rating": None,
        "record_id": ids([item])[0],
    }


def test_non_utf8_bytes_are_escaped_in_names_and_values():
    row = RawRow(1, "caf\udce9", {**flat(rooms="\udce9"), "caf\udce9": "1"})
    body = orjson.loads(RecordChecker(RENTALS).check_row(row).as_json("rentals"))
    assert body["raw"] == "caf\\xe9"
    assert body["values"]["rooms"] == "\\xe9"
    assert body["values"]["caf\\xe9"] == "1"


@pytest.mark.parametrize("changes", [{"rooms": "\udce9"}, {"flat_id": "caf\udce9"}, {"rent": "\udc80 20"}])
def test_rejected_non_utf8_row_suggests_conversion_command(changes):
    ((item,), _) = outcomes([flat(**changes)])
    assert "not UTF-8" in item.message
    assert "`iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW`" in item.message
