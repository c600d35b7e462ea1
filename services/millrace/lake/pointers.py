"""The rows of the Iceberg catalog: which metadata file counts for each table, and the namespaces.

They are all that the catalog's database holds. Leases are locks, of a file or of a session, and leave nothing in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, MetaData, Table, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from millrace.errors import ConflictError, UnavailableError
from millrace.lake import CATALOG
from millrace.lake.catalog import load_catalog

TABLES, NAMESPACES = "iceberg_tables", "iceberg_namespace_properties"
Rows = list[dict[str, Any]]


@contextmanager
def connect() -> Iterator[tuple[Connection, dict[str, Table]]]:
    """A transaction, and the tables with the columns that they have there. Raises UnavailableError."""
    try:
        with load_catalog().engine.begin() as connection:
            schema = MetaData()
            schema.reflect(connection, only=[TABLES, NAMESPACES])
            yield connection, dict(schema.tables)
    except SQLAlchemyError as error:
        cause = str(error).splitlines()[0]
        raise UnavailableError(
            f"The catalog's database does not answer: {cause}.", code="catalog_unavailable"
        ) from error


def read_rows() -> dict[str, Rows]:
    """All rows of both tables, by its name, of all catalogs in the database."""
    with connect() as (connection, tables):
        return {name: _read_table(connection, tables[name]) for name in (NAMESPACES, TABLES)}


def _read_table(connection: Connection, table: Table) -> Rows:
    # SQLAlchemy's names are of a type of their own.
    rows = connection.execute(select(table)).mappings()
    return [{str(column): value for column, value in row.items()} for row in rows]


def find_missing(rows: dict[str, Rows]) -> dict[str, Rows]:
    """Those of the rows whose keys the catalog lacks."""
    with connect() as (connection, tables):
        return {name: _find_missing(connection, tables[name], rows.get(name, [])) for name in (NAMESPACES, TABLES)}


def insert_missing(rows: dict[str, Rows]) -> dict[str, Rows]:
    """Add the rows whose keys the catalog lacks, all or none, and return them; what is there stays as it is."""
    with connect() as (connection, tables):
        missing = {name: _find_missing(connection, tables[name], rows.get(name, [])) for name in (NAMESPACES, TABLES)}
        for name, wanted in missing.items():
            columns = set(tables[name].columns.keys())
            for row in wanted:
                connection.execute(insert(tables[name]).values({k: v for k, v in row.items() if k in columns}))
    return missing


def _find_missing(connection: Connection, table: Table, rows: Rows) -> Rows:
    keys = [column.name for column in table.primary_key.columns]
    present = {tuple(row) for row in connection.execute(select(*table.primary_key.columns))}
    return [row for row in rows if tuple(row[key] for key in keys) not in present]


def list_pointers() -> dict[str, str]:
    """Table (namespace.name) -> location of the metadata file that counts, of our catalog."""
    rows = read_rows()[TABLES]
    return {
        f"{row['table_namespace']}.{row['table_name']}": row["metadata_location"]
        for row in rows
        if row["catalog_name"] == CATALOG and row["metadata_location"]
    }


def move_pointer(table: str, before: str | None, location: str) -> None:
    """Let a metadata file count for a table, new (`before` is None) or not.

    Raises ConflictError where the catalog names another file than `before` by now.
    """
    namespace, _, name = table.rpartition(".")
    key = {"catalog_name": CATALOG, "table_namespace": namespace, "table_name": name}
    if before is None:
        row = {**key, "metadata_location": location, "previous_metadata_location": None, "iceberg_type": "TABLE"}
        exists = {"namespace": namespace, "catalog_name": CATALOG, "property_key": "exists", "property_value": "true"}
        if not insert_missing({NAMESPACES: [exists], TABLES: [row]})[TABLES]:
            raise _lost_race(table)
        return
    with connect() as (connection, tables):
        rows = tables[TABLES]
        where = [rows.c[column] == value for column, value in {**key, "metadata_location": before}.items()]
        values = {"metadata_location": location, "previous_metadata_location": before}
        if connection.execute(update(rows).where(*where).values(values)).rowcount != 1:
            raise _lost_race(table)


def _lost_race(table: str) -> ConflictError:
    return ConflictError(
        f"{table} was committed to while its metadata was looked for: something still writes to it. Stop the sinks, "
        "the stream and trainings first, then run the command again.",
        code="lost_race",
    )
