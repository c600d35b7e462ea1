"""Reading by column accepts what the record types accept, and gives the same numbers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from millrace.api.column_reader import ColumnReader, NotPlainError
from millrace.records.types import Count, Hours, Money, Percent, Rating, Text, Timestamp

NUMBERS = [Count, Hours, Money, Percent, Rating]
VALUES = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.sampled_from(
        [0, -0.0, 5, 5.0, 100, 100.5, 2**53 - 1, 2**53, 2**53 + 1, 1e12, 1e12 + 1, 10**400, "5", "64%", "₹5", "2 h"]
    )
)


@pytest.mark.parametrize("kind", NUMBERS, ids=["count", "hours", "money", "percent", "rating"])
@given(values=st.lists(VALUES, min_size=1, max_size=6))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_bulk_read_column_equals_column_read_by_record_type(kind, values):
    try:
        result = list(ColumnReader(kind).read(values))
    except NotPlainError:
        return
    except ValidationError:
        with pytest.raises(ValidationError):
            [TypeAdapter(kind).validate_python(value) for value in values]
        return
    assert result == [TypeAdapter(kind).validate_python(value) for value in values]


@pytest.mark.parametrize("kind", NUMBERS, ids=["count", "hours", "money", "percent", "rating"])
def test_plain_numbers_of_every_number_type_are_read_in_bulk(kind):
    assert ColumnReader(kind).read([0, 1, 2.0, 5]).tolist() == [0, 1, 2, 5]


def test_true_is_not_read_as_one():
    with pytest.raises(NotPlainError):
        ColumnReader(Count).read([1, True])


def test_each_distinct_text_is_parsed_once_and_order_is_kept():
    assert ColumnReader(Money).read(["₹1,39,900", "20", "₹1,39,900"]) == [139900, 20, 139900]
    assert ColumnReader(Text).read([" a ", "b"]) == ["a", "b"]
    assert ColumnReader(Timestamp).limits is None
