"""Names of columns: in another spelling, twice, ignored, lacking."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import BadInputError
from millrace.records.names import MAX_NAMES, MAX_SHAPES, FieldNames, make_field_names
from millrace.records.readers import Source, read_rows
from millrace.workloads import find_workload

COURSES, MOOC, URLS = (find_workload(name) for name in ("courses", "mooc", "urls"))


def names(result=COURSES) -> FieldNames:
    return make_field_names(result.record, result.reads)


def read(content: str, known: FieldNames, fields: tuple[str, ...] = ()) -> list[dict]:
    stream = io.BytesIO(content.encode())
    return [row.values for row in read_rows(Source("it.csv", stream, stream, None), fields, known)]


@pytest.mark.parametrize("column", ["COURSE_ID", "Course ID", "courseId", "course-id", "course.id", " Course_Id "])
def test_column_with_different_spelling_is_read_and_reported(column):
    known = names()
    assert read(f"{column},price\n7,20\n", known) == [{"course_id": "7", "price": "20"}]
    assert known.renamed == {column.strip(): "course_id"}
    assert known.ignored == []


def test_optional_column_with_different_spelling_is_read():
    known = names(find_workload("products"))
    assert read("product_id,Rating\nB1,4.2\n", known) == [{"product_id": "B1", "rating": "4.2"}]


@pytest.mark.parametrize("columns", ["price,price", "price,Price", "PRICE,price", "Price,PRICE"])
def test_duplicate_column_is_rejected_with_field_name(columns):
    with pytest.raises(BadInputError, match=r"it\.csv has the column .*twice, and which is meant") as refused:
        read(f"{columns}\n1,2\n", names())
    assert (refused.value.code, refused.value.field) == ("bad_header", "price")
    assert all(repr(column) in refused.value.message for column in columns.split(","))


def test_ignored_columns_are_reported_once_including_unnamed_ones():
    known = names()
    read("course_id,x,x,,\x1b[2J\n1,2,3,4,5\n", known)
    assert known.ignored == ["x", "(no name)", r"\x1b[2J"]


def test_second_alias_of_field_is_reported_as_ignored():
    known = names(URLS)
    content = "created_at,creation_time,id,url\n2024-01-01,2023-01-01,1,https://a.example\n"
    (row,) = read(content, known)
    assert URLS.record.model_validate(row).creation_time.year == 2023
    assert known.ignored == ["created_at"]


def test_optional_fields_absent_from_all_csv_or_json_rows_are_reported():
    for content in (
        "id,url,title,created_at\n",
        '{"id":1,"url":"u","created_at":"2023-01-01"}\n{"id":2,"title":"t"}\n',
    ):
        known = names(URLS)
        read(content, known)
        assert known.lacking == ["keywords", "description"]


def test_unread_json_keys_are_reported_as_ignored():
    known = names()
    read('{"course_id":1,"Price":5}\n{"course_id":1,"price":5,"extra":{"a":1}}\n', known)
    assert known.ignored == ["Price", "extra"]


def test_line_holding_several_rows_has_its_own_field_names():
    known = names(MOOC)
    read('{"id":"U_1","course_order":["C_1"],"enroll_time":["2020-01-01"],"name":"x"}\n', known)
    assert (known.ignored, known.lacking) == (["name"], [])
    known = names(MOOC)
    read("id,user_id,course_id,time\n", known)
    assert (known.ignored, known.lacking) == (["id"], [])


def test_number_of_remembered_names_is_limited():
    known = names()
    for number in range(MAX_SHAPES + 10):
        known.note((f"key {number}",))
    assert len(known.shapes) == MAX_SHAPES
    assert len(known.ignored) == MAX_NAMES + 1
    assert known.ignored[-1] == "..."


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_header_of_unknown_names_keeps_all_columns(header):
    known = FieldNames([["price"]], ["price"])
    columns = [f"x{column}" for column in header]
    assert known.match("it.csv", columns) == columns
    assert len(known.ignored) == len(set(columns))
    assert all(name.isprintable() for name in known.ignored)
