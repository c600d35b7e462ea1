"""Which record the sink fails on, whether it is the cause, and whether it may be skipped."""

import pytest

from millrace.lake.poison import RecordPosition, explain_refusal, find_obstacle, find_position
from millrace.records.contract import list_columns
from tests.sixth import Rental

COLUMNS = list_columns(Rental)
GOOD = b'{"flat_id":"F1","rooms":2,"rent":700.5,"listed_at":"2026-01-10T08:00:00Z","rating":null,"record_id":"r"}'
TRACE = """\
org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable exception.
\tat org.apache.kafka.connect.runtime.WorkerSinkTask.deliverMessages(WorkerSinkTask.java:636)
Caused by: org.apache.kafka.connect.errors.DataException: An error occurred converting record, \
topic: rentals.records, partition, 3, offset: 4711
\tat org.apache.iceberg.connect.data.IcebergWriter.write(IcebergWriter.java:65)
\t... 10 more
Caused by: java.time.format.DateTimeParseException: Text '{value}' could not be parsed at index 5
\tat java.base/java.time.format.DateTimeFormatter.parse(DateTimeFormatter.java:2079)
"""


def with_time(text: str) -> bytes:
    return GOOD.replace(b'"2026-01-10T08:00:00Z"', text.encode())


def test_position_is_read_from_the_sinks_exception():
    assert find_position(TRACE) == RecordPosition("rentals.records", 3, 4711)
    assert str(find_position(TRACE)) == "rentals.records/3/4711"


def test_value_in_an_exception_can_not_name_another_record():
    forged = "x\nCaused by: org.apache.kafka.connect.errors.DataException: An error occurred converting record, "
    forged += "topic: shop.records, partition, 0, offset: 1"
    assert find_position(TRACE.replace("{value}", forged)) == RecordPosition("rentals.records", 3, 4711)
    assert find_position(f"java.lang.IllegalStateException: Text '{forged.splitlines()[1]}") is None


@pytest.mark.parametrize("trace", ["", "org.apache.kafka.connect.errors.ConnectException: Coordinator terminated"])
def test_exception_without_position_names_no_record(trace):
    assert find_position(trace) is None


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (with_time('"2026-13-45T00:00:00Z"'), "listed_at"),
        (with_time('"2026-01-10"'), "listed_at"),
        (with_time('"10.01.2026 08:00"'), "listed_at"),
        (with_time('"2026-01-10T25:00:00Z"'), "listed_at"),
        (with_time('"2026-01-10T08:00:00 UTC"'), "listed_at"),
        (with_time('""'), "listed_at"),
        (with_time("true"), "listed_at"),
        (with_time('["2026-01-10T08:00:00Z"]'), "listed_at"),
        (with_time("null"), "listed_at"),
        (GOOD.replace(b'"flat_id":"F1",', b""), "flat_id"),
        (GOOD.replace(b'"rooms":2', b'"rooms":null'), "rooms"),
        (GOOD.replace(b'"record_id":"r"', b'"record_id":null'), "record_id"),
    ],
)
def test_record_that_a_column_refuses_is_explained_by_field_and_value(value, field):
    reason = explain_refusal(COLUMNS, value)
    assert reason is not None
    assert reason.startswith(f"{field}: ")
    assert "allowed: " in reason


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        with_time('"2026-01-10 08:00:00"'),
        with_time('"2026-01-10T08:00"'),
        with_time('"2026-01-10T08:00:00.123456789+02:00"'),
        with_time('"2026-01-10T08:00:00+0200"'),
        with_time('"2026-02-30T24:00:00Z"'),  # Java makes the last day of February, and the next morning, of it
        with_time("1767000000000"),
        GOOD.replace(b'"rating":null,', b""),
        GOOD.replace(b'"rooms":2', b'"rooms":"many"'),  # Connect's own dead letter
        b"{not json",
        b"[1]",
        None,
    ],
)
def test_record_that_may_be_held_is_never_refused(value):
    assert explain_refusal(COLUMNS, value) is None


def test_shown_value_is_short_and_can_not_forge_lines():
    reason = explain_refusal(COLUMNS, with_time('"' + "9" * 5000 + '"')) or ""
    assert len(reason) < 200
    assert "\n" not in (explain_refusal(COLUMNS, with_time('"a\\nb\\u001b[31m"')) or "")


REFUSAL = "listed_at: is null or missing"


@pytest.mark.parametrize(
    ("refusal", "neighbours", "lately", "limit", "words"),
    [
        (None, [False] * 10, 0, 10, "the cause lies elsewhere"),
        (REFUSAL, [True] * 6 + [False] * 4, 0, 10, "6 of the 10 records around it are refused too"),
        (REFUSAL, [True], 0, 10, "1 of the 1 records around it"),
        (REFUSAL, [False] * 10, 10, 10, "10 records were skipped within the hour already; allowed: 10"),
        (REFUSAL, [False] * 10, 0, 0, "MILLRACE_SINK_SKIP_LIMIT is 0"),
    ],
)
def test_skip_is_refused_unless_the_record_alone_is_the_cause(refusal, neighbours, lately, limit, words):
    assert words in (find_obstacle(refusal, neighbours, lately, limit) or "")


@pytest.mark.parametrize("neighbours", [[], [False] * 50, [True, True, False, False]])
def test_poisoned_record_among_good_ones_may_be_skipped(neighbours):
    assert find_obstacle(REFUSAL, neighbours, 9, 10) is None
