"""The real files, where they are at hand: the lake holds exactly the accepted rows."""

import pytest

from millrace.ingest import rejected_rows
from millrace.ingest.check import RecordChecker
from millrace.ingest.publish import ingest_source
from millrace.lake.progress import wait_until_landed
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.readers import open_source, read_rows
from millrace.workloads import find_workload
from tests.conftest import real_file

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize(
    ("name", "file", "counts"),
    [
        (
            "courses",
            "udemy_courses.csv",
            {"read": 3678, "accepted": 3667, "rejected": {"swallowed_record": 5}, "duplicates": 6, "conflicts": 0},
        ),
        pytest.param(
            "products",
            "amazon.csv",
            {"read": 1465, "accepted": 1465, "rejected": {}, "duplicates": 0, "conflicts": 33},
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_lake_holds_exactly_the_accepted_rows(stack, spark, name, file, counts):
    result, path = find_workload(name), real_file(file)
    assert ingest_source(result, str(path)).items() >= counts.items()
    wait_until_landed(result)
    with open_source(str(path)) as source:
        checker = RecordChecker(result, source.name)
        outcomes = [checker.check_row(row) for row in read_rows(source, ())]
    expected = [o.value[-34:-2].decode() for o in outcomes if isinstance(o, AcceptedRecord)]
    landed = spark.table(f"iceberg.millrace.{name}").select("record_id").toArrow().column("record_id").to_pylist()
    assert sorted(one for one in landed if one in set(expected)) == sorted(expected)
    assert len(expected) == counts["accepted"]


def test_swallowed_courses_are_recovered_by_replay(stack):
    workload = find_workload("courses")
    ingest_source(workload, str(real_file("udemy_courses.csv")), again=True)
    mine = [row for row in rejected_rows.list_rejected(workload) if row["source"] == "udemy_courses.csv"]
    assert len(mine) == 5
    replayed = rejected_rows.replay_rejected(workload)
    assert replayed["replayed"] >= 5
    assert replayed["recovered"] == 2 * replayed["replayed"]
    assert not [row for row in rejected_rows.list_rejected(workload) if row["source"] == "udemy_courses.csv"]
