"""Files as they come: every format, every damage, and rows that cost only themselves."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import BadInputError
from millrace.records.readers import MAX_LINE_BYTES, RawRow, Source, read_rows

FIELDS = ("id", "name")


def read(content: bytes) -> list[RawRow]:
    stream = io.BytesIO(content)
    return list(read_rows(Source("it.csv", stream, stream, len(content)), FIELDS))


def values(content: bytes) -> list:
    return [row.values or row.fault[0] for row in read(content)]


ONE = [{"id": "1", "name": "a"}]


@pytest.mark.parametrize(
    "content",
    [
        b"id,name\n1,a\n",
        b"id,name\r\n1,a\r\n",
        b"id,name\n1,a",
        b"\xef\xbb\xbfid,name\n1,a\n",
        b'\xef\xbb\xbf{"id": "1", "name": "a"}\n',
        b"\n\nid,name\n\n1,a\n\n",
        b' id ,"name"\n1,a\n',
        b'{"id": "1", "name": "a"}\n',
        b'\r\n  {"id": "1", "name": "a"}\r\n\r\n',
    ],
)
def test_same_row_is_read_from_every_file_variant(content):
    assert values(content) == ONE


@pytest.mark.parametrize("content", [b"", b"\n", b"\n \r\n", b"id,name\n", b"id,name", b"id,name\n\n\n"])
def test_empty_or_header_only_file_yields_no_rows(content):
    assert read(content) == []


def test_too_few_or_too_many_fields_are_reported_with_their_count():
    few, many, good = read(b"id,name\n1\n1,a,b\n1,a\n")
    assert (few.fault[0], many.fault[0], good.fault) == ("wrong_field_count", "wrong_field_count", None)
    assert "has 1 fields; allowed: 2" in few.fault[1]
    assert "has 3 fields; allowed: 2" in many.fault[1]
    assert many.raw == "1,a,b\n"


def test_line_break_inside_quotes_belongs_to_field():
    (row,) = read(b'id,name\n1,"a\r\nb"\n')
    assert row.values["name"] == "a\r\nb"
    assert row.raw == '1,"a\r\nb"\n'


def test_unclosed_quote_loses_only_its_own_row():
    assert values(b'id,name\n1,"a\n2,b\n3,c\n') == ["bad_csv", {"id": "2", "name": "b"}, {"id": "3", "name": "c"}]


def test_quote_spanning_thousands_of_rows_loses_only_its_own_row():
    result = values(b'id,name\n1,"a\n' + b"2,b\n" * 100_000 + b'3,"c"\n')
    assert result[0] == "bad_csv"
    assert len(result) == 100_002
    assert result[-1] == {"id": "3", "name": "c"}


@pytest.mark.parametrize(
    "row", [rb'1,"A \"quoted\" title"', rb'1,"a \", b"', rb'1,"5\" disk"'], ids=["quotes", "comma", "inches"]
)
def test_spark_style_quotes_are_rejected_with_hint(row):
    _, fault, after = read(b"id,name\n0,a\n" + row + b"\n2,b\n")
    assert fault.fault[0] in ("bad_csv", "wrong_field_count")
    assert """Spark needs .option("escape", '"')""" in fault.fault[1]
    assert after.values == {"id": "2", "name": "b"}


def test_text_after_closing_quote_is_rejected_not_added_to_field():
    assert values(b'id,name\n1,"a"b\n2,"c"\n') == ["bad_csv", {"id": "2", "name": "c"}]


@pytest.mark.parametrize(("delimiter", "called"), [(";", "`;`"), ("\t", "a tab"), ("|", "`|`")])
@pytest.mark.parametrize("quote", ["", '"'])
def test_wrong_delimiter_is_reported_with_conversion_command(delimiter, called, quote):
    header = delimiter.join(f"{quote}{name}{quote}" for name in ("Id", "name"))
    with pytest.raises(BadInputError) as refused:
        read(f"{header}\n1{delimiter}a\n".encode())
    assert refused.value.code == "bad_header"
    assert f"separated by {called}; allowed: a comma. `python3 -c 'import csv, sys; " in refused.value.message
    assert "< it.csv > NEW.csv`" in refused.value.message


def test_excel_sep_line_is_skipped_and_its_separator_is_checked():
    assert values(b"sep=,\nid,name\n1,a\n") == ONE
    with pytest.raises(BadInputError, match="separated by `;`"):
        read(b'"sep=;"\nid;name\n1;a\n')


def test_carriage_return_only_line_endings_are_reported():
    with pytest.raises(BadInputError, match="lines end with"):
        read(b"id,name\r1,a\r2,b\r")


def test_control_characters_in_header_are_shown_escaped():
    with pytest.raises(BadInputError) as refused:
        read(b"\x1b[2J,\x07\n")
    assert refused.value.message.isprintable()
    assert r"\x1b[2J, \x07" in refused.value.message


def test_line_over_limit_is_rejected_and_next_line_is_read():
    result = read(b"id,name\n1," + b"x" * (2 * MAX_LINE_BYTES) + b"\n2,b\n")
    assert [row.values or row.fault[0] for row in result] == ["line_too_long", {"id": "2", "name": "b"}]
    assert str(MAX_LINE_BYTES) in result[0].fault[1]


def test_long_line_after_open_quote_is_a_separate_row():
    result = values(b'id,name\n1,"a\n2,' + b"x" * MAX_LINE_BYTES + b"\n3,c\n")
    assert result == ["bad_csv", "line_too_long", {"id": "3", "name": "c"}]


def test_json_line_over_limit_is_rejected_and_next_line_is_read():
    long = b'{"id": "' + b"1" * MAX_LINE_BYTES + b'"}\n'
    assert values(long + b'{"id": "2"}\n' + long) == ["line_too_long", {"id": "2"}, "line_too_long"]


def test_carriage_return_inside_row_rejects_only_that_row():
    assert values(b"id,name\n1,a\r2,b\n3,c\n") == ["bad_csv", {"id": "3", "name": "c"}]


@pytest.mark.parametrize("line", [b"{", b"[1]", b"7", b'"text"', b"null", b'{"id": NaN}', b"\xff", b"{" * 5000])
def test_line_that_is_not_a_json_object_rejects_only_that_line(line):
    assert values(b'{"id": "1"}\n' + line + b'\n{"id": "2"}\n') == [{"id": "1"}, "bad_json", {"id": "2"}]


def test_json_array_is_rejected_with_conversion_command():
    with pytest.raises(BadInputError, match="jq -c") as refused:
        read(b'[{"id": 1}]')
    assert refused.value.code == "bad_format"


def test_header_missing_required_column_is_rejected_with_column_name():
    with pytest.raises(BadInputError, match="no column name; its header is id, title") as refused:
        read(b"id,title\n1,a\n")
    assert (refused.value.field, refused.value.allowed) == ("name", "id, name")


@pytest.mark.parametrize(
    "content",
    [
        b"id,name\r1,a\r2,b\r",
        "id,name\n1,a\n".encode("utf-16"),
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b"\xff" * 300,
        b"x" * (MAX_LINE_BYTES + 1),
        bytes(range(256)),
    ],
    ids=["carriage returns", "utf-16", "png", "ff", "one long line", "every byte"],
)
def test_non_csv_content_is_rejected_with_printable_message(content):
    with pytest.raises(BadInputError) as refused:
        read(content)
    assert refused.value.code == "bad_header"
    refused.value.message.encode()


def test_non_utf8_bytes_are_kept_in_raw_text():
    (row,) = read(b"id,name\n1,caf\xe9\n")
    assert row.raw.encode("utf-8", "surrogateescape") == b"1,caf\xe9\n"


@given(st.binary(max_size=300))
def test_any_bytes_after_header_become_rows_without_exception(junk):
    for row in read(b"id,name\n" + junk):
        assert row.fault is not None or None not in row.values.values()


@given(st.binary(max_size=300))
def test_any_bytes_yield_rows_or_bad_input(junk):
    try:
        read(junk)
    except BadInputError as error:
        error.message.encode()
