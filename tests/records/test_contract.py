"""From a contract to the lake's columns, its hash, and the sentence of a refusal."""

import orjson
import pytest
from pydantic import BaseModel, ValidationError, create_model

from millrace.records.contract import (
    JSON_LIMIT,
    LakeColumn,
    Record,
    Rejection,
    compute_schema_hash,
    explain_error,
    list_columns,
)
from millrace.records.types import Count, Money, Text
from millrace.workloads import load_workloads
from tests.sixth import Rental


def test_columns_are_fields_then_record_id_then_kafka_metadata():
    assert list_columns(Rental) == [
        LakeColumn("flat_id", "string", True),
        LakeColumn("rooms", "long", True),
        LakeColumn("rent", "double", True),
        LakeColumn("listed_at", "timestamptz", True),
        LakeColumn("rating", "double", False),
        LakeColumn("record_id", "string", True),
        LakeColumn("kafka_topic", "string", False),
        LakeColumn("kafka_partition", "int", False),
        LakeColumn("kafka_offset", "long", False),
        LakeColumn("kafka_timestamp", "timestamptz", False),
    ]


@pytest.mark.parametrize("result", load_workloads().values(), ids=load_workloads())
def test_every_workload_has_its_columns_and_a_unique_hash(result):
    assert [column.name for column in list_columns(result.record)][: len(result.fields)] == list(result.fields)
    assert [
        other.name
        for other in load_workloads().values()
        if compute_schema_hash(other.record) == compute_schema_hash(result.record)
    ] == [result.name]


def test_type_without_column_type_is_rejected_by_name():
    with pytest.raises(TypeError, match=r"Odd\.tags: .*list.* has no column type; allowed: "):
        list_columns(create_model("Odd", __base__=Record, tags=list))


def test_hash_depends_on_name_type_and_nullability_but_not_default():
    def made(**fields) -> str:
        return compute_schema_hash(create_model("Made", __base__=Record, **fields))

    item = made(a=(Count, ...))
    assert len({item, made(b=(Count, ...)), made(a=(Money, ...)), made(a=(Count | None, ...))}) == 4
    assert made(a=(Count, 1)) == item


def explained(record: type[BaseModel], **values) -> tuple[str, str, str]:
    with pytest.raises(ValidationError) as refused:
        record(**values)
    return explain_error(refused.value)


def test_missing_field_is_reported_by_name():
    assert explained(create_model("One", __base__=Record, a=(Text, ...))) == (
        "missing",
        "a",
        "a: is missing; every a must have a value",
    )


def test_invalid_value_is_reported_with_field_and_allowed_values():
    code, field, message = explained(create_model("One", __base__=Record, a=(Count, ...)), a="many")
    assert (code, field) == ("not_a_count", "a")
    assert message == "a: 'many' is not usable; allowed: a whole number of 0 or more such as 24269 or 24,269"


def rejection(raw: str = "raw", values=None) -> Rejection:
    return Rejection("bad_id", "a", "a: is wrong", raw, values, "it.csv", 1, "00")


def test_values_nested_too_deep_for_json_are_omitted_from_message():
    deep = orjson.loads("[" * 500 + "]" * 500)
    body = orjson.loads(rejection(values={"a": deep}).as_json("courses"))
    assert (body["values"], body["raw"]) == (None, "raw")


def test_message_never_exceeds_topic_size_limit():
    assert len(rejection("\0" * 200_000, {"a": "\0" * 1_000_000}).as_json("courses")) < JSON_LIMIT


def test_record_is_immutable():
    item = create_model("One", __base__=Record, a=(Text, ...))(a="x")
    with pytest.raises(ValidationError, match="frozen"):
        item.a = "y"
