"""A record contract: what a row of a workload is, as a pydantic model, and what follows from it."""

import hashlib
import types
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

PRIMITIVES: dict[object, str] = {str: "string", int: "long", float: "double", bool: "boolean", datetime: "timestamptz"}
KAFKA_COLUMNS = (
    ("kafka_topic", "string"),
    ("kafka_partition", "int"),
    ("kafka_offset", "long"),
    ("kafka_timestamp", "timestamptz"),
)
RAW_LIMIT = 200_000  # characters of raw text kept with a rejected row
JSON_LIMIT = 3_000_000  # bytes of a rejected row with its values; the raw text alone is far below


class Record(BaseModel):
    """The base of every record contract. Fields not in the contract are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


@dataclass(frozen=True)
class LakeColumn:
    """A column of the lake: an Iceberg primitive type and whether it may be null."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class Rejection:
    """Why a row is not a record: `code` for counting, `message` for people, `raw` so that nothing is lost.

    `values` are the row's fields where it could be cut into fields: what `rejected replay` reads again.
    """

    code: str
    field: str | None
    message: str
    raw: str
    values: dict[str, Any] | None
    source: str
    row: int
    record_id: str

    def as_json(self, workload: str) -> bytes:
        """The message of the rejected topic; `values` stay out where they are nested too deep or too long for one."""
        body = {"workload": workload, **self.__dict__}
        try:
            message = orjson.dumps(body, default=str)
        except orjson.JSONEncodeError:
            message = b""
        return message if 0 < len(message) <= JSON_LIMIT else orjson.dumps(body | {"values": None})


def unwrap_optional(annotation: object) -> tuple[object, bool]:
    """The type inside `T | None`, with its annotations, and whether None was allowed."""
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        return inner[0], True
    return annotation, False


def list_columns(record: type[Record]) -> list[LakeColumn]:
    """The lake's columns of a contract, in order: its fields, `record_id`, then the Kafka columns."""
    result = []
    for name, info in record.model_fields.items():
        inner, optional = unwrap_optional(info.annotation)
        plain = get_args(inner)[0] if hasattr(inner, "__metadata__") else inner
        if plain not in PRIMITIVES:
            raise TypeError(f"{record.__name__}.{name}: {plain} has no column type; allowed: {list(PRIMITIVES)}")
        result.append(LakeColumn(name, PRIMITIVES[plain], not optional))
    result.append(LakeColumn("record_id", "string", True))
    # The sink's transforms add these after conversion; Kafka guarantees them, Iceberg need not insist.
    return result + [LakeColumn(name, kind, False) for name, kind in KAFKA_COLUMNS]


def list_time_fields(record: type[Record]) -> tuple[str, ...]:
    """The fields of a contract that state a time (see millrace.records.times)."""
    return tuple(
        c.name for c in list_columns(record) if c.type == PRIMITIVES[datetime] and c.name in record.model_fields
    )


def compute_schema_hash(record: type[Record]) -> str:
    """12 hex digits that change when a column's name, type or nullability changes."""
    text = ",".join(f"{c.name}:{c.type}:{c.required}" for c in list_columns(record))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def explain_error(error: ValidationError) -> tuple[str, str, str]:
    """(code, field, message) of the first thing wrong with a row. Codes of the contract's own types are kept."""
    first = error.errors(include_url=False, include_input=True)[0]
    field = ".".join(str(part) for part in first["loc"]) or "row"
    if first["type"] == "missing":
        return "missing", field, f"{field}: is missing; every {field} must have a value"
    return first["type"], field, f"{field}: {first['msg']}"
