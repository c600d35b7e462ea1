"""A time is believed up to a day after its arrival, and what states a later one is refused or of an unknown time."""

from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.ingest.check import RecordChecker
from millrace.records import times
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.contract import Rejection, list_time_fields
from millrace.records.readers import RawRow
from millrace.workloads import find_workload, load_workloads

MOOC, SHOP, COURSES = find_workload("mooc"), find_workload("shop"), find_workload("courses")
NOW = datetime(2026, 11, 28, 15, 9, 1, tzinfo=UTC)
EDGE = NOW + timedelta(seconds=times.MARGIN_S)


@pytest.fixture
def clock(monkeypatch):
    """Sets the clock of this machine."""

    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr(times.time, "time", moment.timestamp)

    set_clock(NOW)
    return set_clock


def outcome(result, **values):
    return RecordChecker(result, "it.csv").check_row(RawRow(1, str(values), values))


def enrolment(at: object) -> dict:
    return {"user_id": "U", "course_id": "C", "enrolled_at": at}


@pytest.mark.parametrize(
    ("moment", "plausible"),
    [
        (NOW - timedelta(days=9 * 365), True),
        (NOW, True),
        (EDGE, True),
        (EDGE + timedelta(microseconds=1), False),
        (datetime(2099, 12, 31, tzinfo=UTC), False),
        (times.EARLIEST, True),
        (times.EARLIEST - timedelta(microseconds=1), False),
    ],
)
def test_plausibility_rule_is_the_same_for_scalar_and_array(moment, plausible):
    assert times.is_plausible(times.to_micros(moment), times.to_micros(NOW)) is plausible
    column = np.array([times.to_micros(moment), np.nan])
    assert times.is_plausible(column, np.full(2, float(times.to_micros(NOW)))).tolist() == [plausible, False]
    seconds = times.plausible_seconds(moment, times.to_micros(NOW) // 1000)
    assert seconds == (moment.timestamp() if plausible else None)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 31)), st.integers(0, 4_102_444_800_000))
def test_plausible_time_is_at_most_margin_after_arrival(moment, arrival_ms):
    seconds = times.plausible_seconds(moment.replace(tzinfo=UTC), arrival_ms)
    late = moment.replace(tzinfo=UTC) - (times.EPOCH + timedelta(milliseconds=arrival_ms))
    assert (seconds is None) == (late > timedelta(seconds=times.MARGIN_S))


def test_every_time_field_of_every_contract_is_checked():
    result = {one.name: list_time_fields(one.record) for one in load_workloads().values()}
    assert result == {
        "catalogue": (),
        "courses": ("published_timestamp",),
        "mooc": ("enrolled_at",),
        "products": (),
        "rentals": ("listed_at",),
        "shop": ("event_time",),
        "urls": ("creation_time",),
    }


def test_future_time_is_rejected_with_value_and_allowed_range(clock):
    rejection = outcome(MOOC, **enrolment("2099-12-31T00:00:00Z"))
    assert isinstance(rejection, Rejection)
    assert (rejection.code, rejection.field) == ("in_the_future", "enrolled_at")
    assert rejection.message == (
        "enrolled_at: 2099-12-31T00:00:00+00:00 is not usable; allowed: a time up to 2026-11-29T15:09:01Z, 24 hours "
        "from now by this machine's clock"
    )
    assert rejection.values == enrolment("2099-12-31T00:00:00Z")


def test_time_at_limit_is_accepted_and_one_microsecond_later_is_rejected(clock):
    assert isinstance(outcome(MOOC, **enrolment(EDGE.isoformat())), AcceptedRecord)
    assert isinstance(outcome(MOOC, **enrolment((EDGE + timedelta(microseconds=1)).isoformat())), Rejection)
    assert isinstance(outcome(MOOC, **enrolment(None)), AcceptedRecord)


def test_time_in_aliased_column_is_also_checked(clock):
    page = {"id": "1", "url": "https://example.com/", "title": "t", "created_at": "2031-01-01 00:00:00 UTC"}
    assert outcome(find_workload("urls"), **page).field == "creation_time"


def test_counts_add_up_and_rejected_row_makes_no_later_row_a_duplicate(clock):
    checker = RecordChecker(MOOC, "it.csv")
    values = enrolment("2026-12-01T00:00:00Z")
    assert isinstance(checker.check_row(RawRow(1, "a", values)), Rejection)
    clock(NOW + timedelta(days=3))
    assert isinstance(checker.check_row(RawRow(2, "b", values)), AcceptedRecord)
    counts = checker.counts
    assert (counts.read, counts.accepted, counts.duplicates, counts.rejected) == (2, 1, 0, {"in_the_future": 1})


def test_each_row_is_checked_against_current_clock_even_if_it_jumps(clock):
    """A clock that was years ahead for a moment leaves no wider margin behind."""
    checker = RecordChecker(MOOC, "it.csv")
    codes = []
    for number, years in enumerate((0, 40, 0, -9, 0)):
        clock(NOW.replace(year=NOW.year + years))
        report = checker.check_row(RawRow(number, str(number), enrolment("2050-01-01") | {"user_id": f"U{number}"}))
        codes.append(report.code if isinstance(report, Rejection) else "accepted")
    assert codes == ["in_the_future", "accepted", "in_the_future", "in_the_future", "in_the_future"]


def test_unset_clock_never_rejects_times_before_release_date(clock):
    clock(datetime(1970, 1, 1, 0, 5, tzinfo=UTC))
    assert isinstance(outcome(MOOC, **enrolment("2026-10-31T00:00:00Z")), AcceptedRecord)
    assert outcome(MOOC, **enrolment("2099-12-31T00:00:00Z")).message.endswith(
        "allowed: a time up to 2026-11-02T00:00:00Z, 24 hours from now by this machine's clock"
    )


def test_naive_local_times_ahead_of_utc_are_accepted(clock):
    local = NOW.astimezone(UTC).replace(tzinfo=None) + timedelta(hours=14)
    assert isinstance(outcome(MOOC, **enrolment(local.isoformat())), AcceptedRecord)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2099-12-31T00:00:00Z", datetime(2099, 12, 31, tzinfo=UTC)),
        ("2020-01-01T02:00:00+02:00", datetime(2020, 1, 1, tzinfo=UTC)),
        ("1900-01-01T00:00:00", datetime(1900, 1, 1, tzinfo=UTC)),
        ("soon", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
        (7, None),
    ],
)
def test_any_stored_time_is_parsed_without_error(text, moment):
    assert times.parse_moment(text) == moment


def test_purchase_from_unset_clock_still_has_unknown_time(clock):
    row = {"event_time": "1970-01-01 00:33:40 UTC", "order_id": "1", "product_id": "2", "price": "3", "user_id": ""}
    assert orjson.loads(outcome(SHOP, **row).value)["event_time"] is None
