"""Tables are created from the contracts before the sink starts; the sink never invents a column's type."""

import contextlib
from collections.abc import Iterable

from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import (
    BooleanType,
    DoubleType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

from millrace.errors import BadInput, NotFound
from millrace.lake import NAMESPACE, assignments_name, pages_name, table_name
from millrace.lake.catalog import catalog
from millrace.records.contract import Column, columns
from millrace.workloads.base import Workload

TYPES = {
    "string": StringType(),
    "long": LongType(),
    "int": IntegerType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "timestamptz": TimestamptzType(),
}
PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
    # A commit that meets a compaction tries again instead of failing the task.
    "commit.retry.num-retries": "10",
}
ASSIGNMENTS = [
    Column("model", "string", True),
    Column("version", "string", True),
    Column("record_id", "string", True),
    Column("cluster", "int", True),
    Column("held_out", "boolean", True),
]
PAGES = [
    Column("kafka_partition", "int", True),
    Column("kafka_offset", "long", True),
    Column("kafka_timestamp", "timestamptz", True),
    Column("record_id", "string", True),
    Column("url", "string", True),
    Column("title", "string", False),
    Column("host", "string", True),
    Column("cluster", "int", True),
    Column("distance", "double", True),
    Column("version", "string", True),
]
"""The registered domain is `host`; the place in Kafka is the key, each once."""


def schema_of(wanted: Iterable[Column]) -> Schema:
    """Columns as Iceberg's schema, numbered from 1."""
    return Schema(
        *(
            NestedField(number, column.name, TYPES[column.type], required=column.required)
            for number, column in enumerate(wanted, 1)
        )
    )


def ensure_tables(workloads: Iterable[Workload]) -> list[str]:
    """Create missing tables, add missing optional columns, and return what was changed.

    Raises BadInput where a table holds a column under another type: data is never reinterpreted.
    """
    with contextlib.suppress(NamespaceAlreadyExistsError):
        catalog().create_namespace(NAMESPACE)
    changed = []
    for workload in workloads:
        wanted = {
            table_name(workload.name): columns(workload.record),
            assignments_name(workload.name): ASSIGNMENTS,
        }
        if workload.pages:
            wanted[pages_name(workload.name)] = PAGES
        for name, wanted_columns in wanted.items():
            changed += _ensure(name, wanted_columns)
    return changed


def _ensure(name: str, wanted: list[Column]) -> list[str]:
    try:
        table = catalog().load_table(name)
    except NoSuchTableError:
        try:
            catalog().create_table(name, schema_of(wanted), properties=PROPERTIES)
        except TableAlreadyExistsError:
            return []
        return [name]
    present = {field.name: field for field in table.schema().fields}
    for column in wanted:
        existing = present.get(column.name)
        if existing is not None and existing.field_type != TYPES[column.type]:
            raise BadInput(
                f"Table {name} holds {column.name} as {existing.field_type}, the contract says {column.type}. "
                "Give the field a new name, or move the table away first.",
                code="contract_changed",
                field=column.name,
                allowed=str(existing.field_type),
            )
    missing = [column for column in wanted if column.name not in present]
    if missing:
        with table.update_schema() as update:
            for column in missing:
                update.add_column(column.name, TYPES[column.type])
    return [f"{name}.{column.name}" for column in missing]


def load(workload: str) -> Table:
    """The workload's table. Raises NotFound when nothing has created it yet."""
    try:
        return catalog().load_table(table_name(workload))
    except NoSuchTableError:
        raise NotFound(
            f"The lake has no table {table_name(workload)}; `millrace up` creates it.", field="workload"
        ) from None


def total_rows(workload: str) -> int:
    """Rows of the current snapshot, from its summary: one small read."""
    snapshot = load(workload).current_snapshot()
    if not snapshot or not snapshot.summary:
        return 0
    return int(snapshot.summary["total-records"])  # pyright: ignore[reportArgumentType] - every writer names it
