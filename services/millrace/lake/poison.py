"""A poisoned record: one that Kafka Connect can read and that a column of the lake can't hold.

The Iceberg sink (1.12) fails on it for ever: it knows no dead letters of its own (apache/iceberg #15032). Its exception
names the record, but does so whatever went wrong while that record was written, an S3 that was unavailable included.
Here is what decides whether the record itself is the cause: nothing is skipped on the word of an exception.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from millrace.records.contract import KAFKA_COLUMNS, LakeColumn

# IcebergWriter's words. A value may contain anything, line breaks included: the first line that matches is its own.
POSITION = re.compile(
    r"^Caused by: org\.apache\.kafka\.connect\.errors\.DataException: An error occurred converting record, "
    r"topic: (?P<topic>\S+), partition, (?P<partition>\d+), offset: (?P<offset>\d+)\s*$",
    re.MULTILINE,
)
# What RecordConverter takes for a timestamptz, and a little more: what does not match, it surely refuses.
TIME = re.compile(
    r"[+-]?\d{4,10}-(?P<month>\d\d)-(?P<day>\d\d)[Tt ](?P<hour>\d\d):(?P<minute>\d\d)"
    r"(:(?P<second>\d\d)(\.\d{0,9})?)?([Zz]|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
TIME_RANGES = {"month": (1, 12), "day": (1, 31), "hour": (0, 24), "minute": (0, 59), "second": (0, 59)}
KAFKA_NAMES = dict(KAFKA_COLUMNS)
SHOWN_CHARACTERS = 80
NEIGHBOURS = 25
"""Records on either side that are looked at: a column that refuses most of them is broken, they are not."""


@dataclass(frozen=True)
class RecordPosition:
    """Where a record stands in Kafka."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


def find_position(trace: str) -> RecordPosition | None:
    """The record that a failed task of the sink was writing; None where its exception names none."""
    match = POSITION.search(trace)
    return RecordPosition(match["topic"], int(match["partition"]), int(match["offset"])) if match else None


def explain_refusal(columns: Sequence[LakeColumn], value: bytes | None) -> str | None:
    """Why the lake's columns can't hold a record's JSON; None where they can, or where it can't be told.

    Numbers and flags are none of its business: Connect converts them first, and writes a dead letter where it can't.
    """
    record = read_object(value)
    if record is None:
        return None
    for column in columns:
        field = record.get(column.name)
        if column.name in KAFKA_NAMES:  # the sink's transforms add these
            continue
        if field is None and column.required:
            return f"{column.name}: is null or missing; allowed: a value, as the column is required"
        if field is not None and column.type == "timestamptz" and not _may_be_time(field):
            shown = orjson.dumps(field).decode()[:SHOWN_CHARACTERS]
            return f"{column.name}: {shown} is not a time; allowed: ISO 8601, such as 2017-01-18T20:58:58Z"
    return None


def read_object(value: bytes | None) -> dict[str, object] | None:
    """The JSON object of a message; None for a tombstone and for what is none, which never gets as far as the sink."""
    try:
        record = orjson.loads(value or b"null")
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _may_be_time(field: object) -> bool:
    if isinstance(field, int | float) and not isinstance(field, bool):
        return True  # milliseconds since 1970
    match = TIME.fullmatch(field) if isinstance(field, str) else None
    return match is not None and all(low <= int(match[name] or 0) <= high for name, (low, high) in TIME_RANGES.items())


def find_obstacle(refusal: str | None, refused_neighbours: Sequence[bool], lately: int, limit: int) -> str | None:
    """Why a record that the sink fails on must not be skipped; None where it may be.

    `refusal` as `explain_refusal` gives it, `refused_neighbours` whether each record around it is refused as well,
    `lately` the records of its workload that were skipped within the hour, `limit` how many may be.
    """
    if limit == 0:
        return "MILLRACE_SINK_SKIP_LIMIT is 0: no record is skipped"
    if refusal is None:
        return "its columns can hold this record, so the cause lies elsewhere"
    if 2 * sum(refused_neighbours) > len(refused_neighbours):
        broken = f"{sum(refused_neighbours)} of the {len(refused_neighbours)} records around it"
        return f"{broken} are refused too ({refusal}): the producer or the table is broken, not one record"
    if lately >= limit:
        return f"{lately} records were skipped within the hour already; allowed: {limit} (MILLRACE_SINK_SKIP_LIMIT)"
    return None
