"""Field types: ids, texts, flags and moments, round trips and refusals."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from millrace.records import types

NAMES = ["Id", "Text", "RequiredText", "Flag", "Timestamp", "Money", "Percent", "Count", "Hours", "Rating"]
ADAPTERS = {name: TypeAdapter(getattr(types, name)) for name in NAMES}
SURROGATES = st.text(st.characters(), max_size=8).map(lambda text: text + "\udc80")
ANYTHING = st.one_of(
    st.text(max_size=30), SURROGATES, st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.none())
)
MOMENTS = st.datetimes(datetime(1970, 1, 3), datetime(2099, 12, 30))


@pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=ADAPTERS)
@given(value=ANYTHING)
def test_value_is_accepted_or_rejected_with_printable_message(adapter, value):
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        assert "allowed: " in message
        message.encode()


@given(st.integers(0, 10**49))
def test_id_keeps_every_digit(number):
    assert types.parse_id(number) == types.parse_id(f" {number} ") == str(number)


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "a\0", "\udc80", 1.0, True, None, "x" * 201, 10**50, ["1"]])
def test_invalid_id_is_rejected(value):
    with pytest.raises(PydanticCustomError) as refused:
        types.parse_id(value)
    assert refused.value.type == "bad_id"


@pytest.mark.parametrize(
    "value",
    [
        "1.51592E+18",
        "1515915625441993984.0",
        "1e5",
        "1.5e18",
        "1E+20",
        "1.51591562544199398E18",
        "7.0",
        "-1e5",
        "12e+20",
    ],
)
def test_id_converted_to_number_is_rejected_with_a_fix(value):
    with pytest.raises(PydanticCustomError, match="taken for a number, which loses digits: export the column as text"):
        types.parse_id(value)


@pytest.mark.parametrize(
    "value", ["123e4567", "00e1a", "7e", "e5", "1.5", "2.0.0", "1.2e3.4", "10.0a", "+49", "1e5x", "٣e٥"]
)
def test_id_only_resembling_a_number_is_kept(value):
    assert types.parse_id(value) == value


@pytest.mark.parametrize("value", ["a\u200bb", "ａ", "a\u00a0b", "मूल"])
def test_id_in_any_script_is_kept(value):
    assert types.parse_id(value) == value


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_text_loses_only_surrounding_whitespace(value):
    assert types.parse_text(f"  {value}\n") == value.strip()


def test_null_is_empty_text_but_rejected_as_required_text():
    assert types.parse_text(None) == ""
    with pytest.raises(PydanticCustomError) as refused:
        types.parse_required_text(None)
    assert refused.value.type == "missing"


def test_text_over_limit_is_rejected_with_its_length():
    with pytest.raises(PydanticCustomError, match="65537 characters") as refused:
        types.parse_text("x" * (types.TEXT_LIMIT + 1))
    assert refused.value.type == "text_too_long"


def test_required_text_may_not_be_blank():
    with pytest.raises(PydanticCustomError) as refused:
        types.parse_required_text("   ")
    assert refused.value.type == "missing"


@pytest.mark.parametrize("yes", [True, "True", "true", " TRUE ", "yes", "t", "1", 1])
def test_every_spelling_of_true_is_true(yes):
    assert types.parse_flag(yes) is True


@pytest.mark.parametrize("no", [False, "False", "false", "no", "F", "0", 0])
def test_every_spelling_of_false_is_false(no):
    assert types.parse_flag(no) is False


@pytest.mark.parametrize("value", ["", "2", "maybe", None, 1.0, 2, [True]])
def test_invalid_flag_is_rejected(value):
    with pytest.raises(PydanticCustomError) as refused:
        types.parse_flag(value)
    assert refused.value.type == "not_a_flag"


@given(MOMENTS, st.integers(-14 * 60, 14 * 60))
def test_timestamp_with_offset_becomes_same_instant_in_utc(moment, minutes):
    there = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    read = types.parse_timestamp(there.isoformat())
    assert read == there
    assert read.tzinfo is UTC


@given(MOMENTS.map(lambda moment: moment.replace(microsecond=0)))
def test_every_timestamp_format_gives_same_second(moment):
    expected = moment.replace(tzinfo=UTC)
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+0000"):
        assert types.parse_timestamp(moment.strftime(form)) == expected
    assert types.parse_timestamp(moment.strftime("%m/%d/%Y %H:%M")) == expected.replace(second=0)
    assert types.parse_timestamp(f"{moment.year}-{moment.month}-{moment.day} 1:2:3 UTC").date() == moment.date()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2017-04-06 05:10:57.123 UTC", datetime(2017, 4, 6, 5, 10, 57, 123_000, UTC)),
        ("2017-04-06 05:10:57.123456 UTC", datetime(2017, 4, 6, 5, 10, 57, 123_456, UTC)),
        ("2017-04-06T05:10:57.1 UTC", datetime(2017, 4, 6, 5, 10, 57, 100_000, UTC)),
        ("2017-04-06 05:10:57+02:00", datetime(2017, 4, 6, 3, 10, 57, tzinfo=UTC)),
        ("20170406T051057-0230", datetime(2017, 4, 6, 7, 40, 57, tzinfo=UTC)),
        ("2017-W14-4T05:10", datetime(2017, 4, 6, 5, 10, tzinfo=UTC)),
        ("20170406", datetime(2017, 4, 6, tzinfo=UTC)),
    ],
)
def test_fractional_seconds_and_offsets_are_parsed_to_utc(value, expected):
    assert types.parse_timestamp(value) == expected
    assert types.parse_timestamp(value).tzinfo is UTC


@given(st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)), st.sampled_from("+-"), st.integers(0, 14 * 60))
def test_offset_after_date_is_never_parsed_as_time_of_day(moment, sign, minutes):
    for form in ("%Y-%m-%d", "%Y%m%d", "%Y-W%V-%u", "%YW%V%u"):
        for offset in (f"{sign}{minutes // 60:02}:{minutes % 60:02}", f"{sign}{minutes // 60:02}{minutes % 60:02}"):
            with pytest.raises(PydanticCustomError) as refused:
                types.parse_timestamp(moment.strftime(form) + offset)
            assert refused.value.type == "not_a_date"


@pytest.mark.parametrize("value", ["2012123112345", "1500000000", "1500000000000", "1.5e9", "2017-04-06 UTC", "T05:10"])
def test_epoch_seconds_and_partial_timestamps_are_rejected(value):
    with pytest.raises(PydanticCustomError) as refused:
        types.parse_timestamp(value)
    assert refused.value.type == "not_a_date"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("soon", "not_a_date"),
        ("", "not_a_date"),
        ("2017-13-01", "not_a_date"),
        ("2017-02-30 00:00:00 UTC", "not_a_date"),
        (1_500_000_000, "not_a_date"),
        (None, "not_a_date"),
        ("x" * 100_000, "not_a_date"),
        ("1970-01-01T00:33:40Z", "out_of_range"),
        ("2100-01-01", "out_of_range"),
        ("0001-01-01T00:00:00+14:00", "out_of_range"),
        ("9999-12-31T23:59:59-14:00", "out_of_range"),
    ],
)
def test_invalid_or_out_of_range_timestamp_is_rejected(value, code):
    with pytest.raises(PydanticCustomError) as refused:
        types.parse_timestamp(value)
    assert refused.value.type == code


@pytest.mark.parametrize("blank", ["", " | ", "-", "N/A", "NaN", "null", "None"])
def test_every_spelling_of_unknown_becomes_none(blank):
    assert types.blank_to_none(blank) is None


@pytest.mark.parametrize("value", ["0", 0, "zero", False])
def test_zero_is_not_unknown(value):
    assert types.blank_to_none(value) is value
