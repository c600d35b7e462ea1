"""Numbers as people write them: what is read, what is refused, and with which sentence."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from millrace.records import numbers

READERS = [
    numbers.parse_number,
    numbers.parse_money,
    numbers.parse_percent,
    numbers.parse_count,
    numbers.parse_hours,
    numbers.parse_rating,
]
ANYTHING = st.one_of(
    st.text(max_size=80),
    st.text("0123456789.,%₹$eE+- _hm٣", max_size=24),
    st.floats(),
    st.integers(),
    st.integers(10**300, 10**320),
    st.booleans(),
    st.none(),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def indian(whole: int) -> str:
    """An independent writer of Indian grouping: three digits, then two and two."""
    text = str(whole)[::-1]
    parts = [text[:3], *[text[start : start + 2] for start in range(3, len(text), 2)]]
    return ",".join(parts)[::-1]


def outcome(read, value):
    """(number, None) or (None, the refusal)."""
    try:
        return read(value), None
    except PydanticCustomError as error:
        return None, error


@pytest.mark.parametrize("read", READERS)
@given(value=ANYTHING)
def test_value_is_a_finite_number_or_rejected_with_code(read, value):
    result, refused = outcome(read, value)
    if refused:
        assert refused.type in {"bad_grouping", "out_of_range"} or refused.type.startswith("not_")
        assert "is not usable; allowed: " in refused.message()
        refused.message().encode()
    else:
        assert math.isfinite(result)
        assert result >= 0 or read is numbers.parse_number


@given(st.integers(0, 10**12))
def test_money_is_parsed_with_every_digit_grouping(amount):
    for text in (str(amount), f"{amount:,}", indian(amount), f"₹{indian(amount)}", f"$ {amount:,}", f" {amount} EUR "):
        assert numbers.parse_money(text) == amount


@given(st.integers(0, 10**9), st.integers(0, 99))
def test_money_keeps_its_decimals(whole, cents):
    assert numbers.parse_money(f"€{whole:,}.{cents:02d}") == float(f"{whole}.{cents:02d}")


@given(st.integers(0, numbers.MAX_COUNT))
def test_count_round_trips_through_text_exactly(whole):
    assert numbers.parse_count(str(whole)) == numbers.parse_count(f"{whole:,}") == numbers.parse_count(whole) == whole


@given(st.floats(0, 100))
def test_percentage_is_the_same_with_and_without_percent_sign(value):
    text = f"{value:.6f}"
    assert numbers.parse_percent(f"{text}%") == numbers.parse_percent(text) == float(text)


@given(st.integers(0, 500), st.integers(0, 59))
def test_duration_is_the_same_in_hours_and_minutes(hours, minutes):
    total = hours + minutes / 60
    for text in (f"{hours}h {minutes}m", f"{hours} hours {minutes} mins", f"{hours * 60 + minutes} mins"):
        assert numbers.parse_hours(text) == pytest.approx(total)
    assert numbers.parse_hours(f"{hours}.5 hours") == numbers.parse_hours(f"{hours}.5") == hours + 0.5


@pytest.mark.parametrize(
    ("read", "value", "code"),
    [
        (numbers.parse_money, "12,34", "bad_grouping"),
        (numbers.parse_money, "-5", "out_of_range"),
        (numbers.parse_money, "1e13", "out_of_range"),
        (numbers.parse_money, "on request", "not_money"),
        (numbers.parse_money, "", "not_money"),
        (numbers.parse_money, True, "not_money"),
        (numbers.parse_percent, "164%", "out_of_range"),
        (numbers.parse_percent, "%", "not_a_percentage"),
        (numbers.parse_count, "1.5", "not_a_count"),
        (numbers.parse_count, "2_000", "not_a_count"),
        (numbers.parse_count, "٣", "not_a_count"),
        (numbers.parse_count, 2**53 + 1, "out_of_range"),
        (numbers.parse_hours, "", "not_a_duration"),
        (numbers.parse_hours, "9" * 60 + "h", "out_of_range"),
        (numbers.parse_hours, "٤ hours", "not_a_duration"),
        (numbers.parse_rating, "51.7", "out_of_range"),
        (numbers.parse_rating, "|", "not_a_rating"),
        (numbers.parse_number, "nan", "not_a_number"),
        (numbers.parse_number, "1e999", "not_a_number"),
        (numbers.parse_number, math.inf, "not_a_number"),
        (numbers.parse_number, 10**400, "not_a_number"),
    ],
)
def test_invalid_value_is_rejected_with_reason_and_allowed_values(read, value, code):
    with pytest.raises(PydanticCustomError, match="allowed: ") as refused:
        read(value)
    assert refused.value.type == code


@pytest.mark.parametrize("read", READERS)
def test_long_run_of_spaces_is_rejected_immediately(read):
    started = time.perf_counter()
    with pytest.raises(PydanticCustomError):
        read("1" + " " * 100_000 + "1")
    assert time.perf_counter() - started < 0.5


@given(st.recursive(st.integers(), lambda inner: st.lists(inner, max_size=4), max_leaves=50))
def test_message_shows_at_most_80_characters_of_value(value):
    assert len(numbers.show(value)) <= 80


def test_deeply_nested_list_can_be_shown():
    deep: list = []
    for _ in range(900):
        deep = [deep]
    assert "..." in numbers.show(deep)
