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

from millrace.errors import BadInputError, ConflictError, NotFoundError
from millrace.lake import NAMESPACE, assignments_table_name, gaps_table_name, pages_table_name, table_name
from millrace.lake.catalog import load_catalog, warehouse_uri
from millrace.lake.metadata_files import LakeFiles
from millrace.lake.pointers import list_pointers
from millrace.records.contract import LakeColumn, list_columns
from millrace.registry.store import ObjectStore
from millrace.settings import settings
from millrace.workloads.base import Workload

TYPES = {
    "string": StringType(),
    "long": LongType(),
    "int": IntegerType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "timestamptz": TimestamptzType(),
}
METADATA_DELETION = "write.metadata.delete-after-commit.enabled"
PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    # A catalog that was restored names a file of then: `lake.upkeep` removes them by age, and not those of backups.
    METADATA_DELETION: "false",
    "write.metadata.previous-versions-max": "50",
    # A commit that meets a compaction tries again instead of failing the task.
    "commit.retry.num-retries": "10",
}
ASSIGNMENTS = [
    LakeColumn("model", "string", True),
    LakeColumn("version", "string", True),
    LakeColumn("record_id", "string", True),
    LakeColumn("cluster", "int", True),
    LakeColumn("held_out", "boolean", True),
]
GAPS = [
    LakeColumn("partition", "int", True),
    LakeColumn("first", "long", True),
    LakeColumn("last", "long", True),
    LakeColumn("reason", "string", True),
    LakeColumn("since", "timestamptz", True),
    LakeColumn("kafka_generation", "int", False),
]
"""Offsets from `first` to `last` that the records lack, why, and since when that is known; see millrace.lake.gaps.
Offsets of another `kafka_generation` than 0 (or null) are those of another topic."""
PAGES = [
    LakeColumn("kafka_partition", "int", True),
    LakeColumn("kafka_offset", "long", True),
    LakeColumn("kafka_timestamp", "timestamptz", True),
    LakeColumn("record_id", "string", True),
    LakeColumn("url", "string", True),
    LakeColumn("title", "string", False),
    LakeColumn("host", "string", True),
    LakeColumn("cluster", "int", True),
    LakeColumn("distance", "double", True),
    LakeColumn("version", "string", True),
]
"""The registered domain is `host`; the place in Kafka is the key, each once."""


def make_schema(wanted: Iterable[LakeColumn]) -> Schema:
    """Columns as Iceberg's schema, numbered from 1."""
    return Schema(
        *(
            NestedField(number, column.name, TYPES[column.type], required=column.required)
            for number, column in enumerate(wanted, 1)
        )
    )


def ensure_tables(workloads: Iterable[Workload]) -> list[str]:
    """Create missing tables, add missing optional columns, and return what was changed.

    Raises BadInputError where a table holds a column under another type: data is never reinterpreted.
    """
    with contextlib.suppress(NamespaceAlreadyExistsError):
        load_catalog().create_namespace(NAMESPACE)
    changed = []
    for workload in workloads:
        wanted = {
            table_name(workload.name): list_columns(workload.record),
            assignments_table_name(workload.name): ASSIGNMENTS,
            gaps_table_name(workload.name): GAPS,
        }
        if workload.pages:
            wanted[pages_table_name(workload.name)] = PAGES
        for name, wanted_columns in wanted.items():
            changed += ensure_table(name, wanted_columns)
    return changed


def ensure_table(name: str, wanted: list[LakeColumn]) -> list[str]:
    """Create one table, or add the optional columns that it lacks, as `ensure_tables` does for all."""
    try:
        table = load_catalog().load_table(name)
    except NoSuchTableError:
        check_not_forgotten(name)
        try:
            load_catalog().create_table(name, make_schema(wanted), properties=PROPERTIES)
        except TableAlreadyExistsError:
            return []
        return [name]
    present = {field.name: field for field in table.schema().fields}
    for column in wanted:
        existing = present.get(column.name)
        if existing is not None and existing.field_type != TYPES[column.type]:
            raise BadInputError(
                f"Table {name} holds {column.name} as {existing.field_type}, the contract says {column.type}. "
                "Give the field a new name, or move the table aside first.",
                code="contract_changed",
                field=column.name,
                allowed=str(existing.field_type),
            )
    if table.properties.get(METADATA_DELETION) == "true":
        # As the releases before 0.4 made it.
        with table.transaction() as transaction:
            transaction.set_properties({METADATA_DELETION: "false"})
    missing = [column for column in wanted if column.name not in present]
    if missing:
        with table.update_schema() as update:
            for column in missing:
                update.add_column(column.name, TYPES[column.type])
    return [f"{name}.{column.name}" for column in missing]


def check_not_forgotten(name: str) -> None:
    """Raises ConflictError where the bucket holds a table of that name and the catalog does not: it was lost.

    An empty table in its place would hide every row.
    """
    files = LakeFiles(ObjectStore(settings().lake_bucket))
    location = f"{warehouse_uri()}/{name.replace('.', '/')}"
    with contextlib.suppress(NotFoundError):
        entries = files.list_entries(location)
        named = list_pointers().values() if entries else ()
        # A table that was renamed keeps its folder.
        if entries and not any(other.startswith(f"{location}/") for other in named):
            raise ConflictError(
                f"{location} holds the table {name} and the catalog does not know it: was the catalog lost? "
                "`millrace catalog rebuild` registers it, with all rows. If it was dropped on purpose, remove "
                "its files.",
                code="catalog_lost",
            )


def load_table(workload: str) -> Table:
    """The workload's table. Raises NotFoundError when nothing has created it yet."""
    try:
        return load_catalog().load_table(table_name(workload))
    except NoSuchTableError:
        raise NotFoundError(
            f"The lake has no table {table_name(workload)}; `millrace up` creates it.", field="workload"
        ) from None


def read_columns(table: Table) -> list[LakeColumn]:
    """The columns that a table has, which may insist on less than the contract: later ones are optional."""
    return [LakeColumn(field.name, str(field.field_type), field.required) for field in table.schema().fields]


def count_rows(workload: str) -> int:
    """Rows of the current snapshot, from its summary: one small read."""
    snapshot = load_table(workload).current_snapshot()
    if not snapshot or not snapshot.summary:
        return 0
    return int(snapshot.summary["total-records"])  # pyright: ignore[reportArgumentType] - every writer names it
