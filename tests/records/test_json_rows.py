"""JSON lines: keys that stand twice, and documents that are no lines."""

import io
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import BadInputError
from millrace.records.json_rows import find_repeated_key
from millrace.records.readers import Source, read_rows

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab":\\ \t', max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text('ab":\\ ', max_size=4), JSON, min_size=1, max_size=4)
STYLES = st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : "), (",", "\t:")])


def read(content: bytes) -> list:
    stream = io.BytesIO(content)
    return [row.values or row.fault for row in read_rows(Source("it.jsonl", stream, stream, None), ())]


@pytest.mark.parametrize(
    "line",
    [
        '{"price":1,"price":2}',
        '{"price" :1,"price":2}',
        '{"price"\t:1,"price":2}',
        '{"price":1,"pri\\u0063e":2}',
        '{"price":1, "x":{"price":1,"price":2}}',
        '{"price":1,"x":"\\":","price":1}',
        '{"x":[{"price":1,"price":1}]}',
        '{"price":1,"price":' + "1" * 300 + "}",
    ],
)
def test_row_with_duplicate_key_is_rejected_with_key_name(line):
    before, fault, after = read(b'{"id":1}\n' + line.encode() + b'\n{"id":2}\n')
    assert (before, after) == ({"id": 1}, {"id": 2})
    assert fault[0] == "bad_json"
    assert "the key 'price' stands twice" in fault[1]


@given(OBJECTS, STYLES, st.booleans())
def test_object_without_duplicate_keys_is_never_rejected(value, style, ascii_only):
    text = json.dumps(value, separators=style, ensure_ascii=ascii_only)
    assert find_repeated_key(text, orjson.loads(text)) is None


@given(OBJECTS, STYLES, st.data())
def test_object_with_duplicate_key_is_always_rejected(value, style, data):
    key = data.draw(st.sampled_from(sorted(value)))
    text = json.dumps(value, separators=style)
    twice = text[:-1] + style[0] + json.dumps(key) + style[1] + "0}"
    fault = find_repeated_key(twice, orjson.loads(twice))
    assert fault is not None
    assert fault[1].isprintable()


def test_line_nested_too_deep_to_check_loses_only_its_own_row():
    deep = b'{"a":1,"b":' + b'{"a":' * 1000 + b"1" + b"}" * 1001
    assert len(read(b'{"id":1}\n' + deep + b'\n{"id":2}\n')) == 3


@pytest.mark.parametrize("indent", [2, "\t", 0])
def test_pretty_printed_json_file_is_rejected_with_conversion_command(indent):
    text = "\n".join(json.dumps({"id": number, "tags": ["a"]}, indent=indent) for number in (1, 2))
    with pytest.raises(BadInputError, match=r"run over several lines.*`jq -c \. it\.jsonl > NEW\.jsonl`") as refused:
        read(text.encode())
    assert refused.value.code == "bad_format"


def test_broken_first_line_loses_only_its_own_row():
    assert read(b'{"id":\n{"id":2}\n')[1:] == [{"id": 2}]
    assert read(b'{"id":\n')[0][0] == "bad_json"
