"""Tables with commits of one row each, and a catalog that loses what it knew."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from millrace.lake import NAMESPACE, catalog, tables
from millrace.settings import settings

COLUMNS = tables.ASSIGNMENTS


def make_table(name: str) -> Table:
    return tables_catalog().create_table(
        f"{NAMESPACE}.{name}", tables.make_schema(COLUMNS), properties=tables.PROPERTIES
    )


def tables_catalog() -> Any:
    """The catalog, with its namespace."""
    tables_catalog = catalog.load_catalog()
    tables_catalog.create_namespace_if_not_exists(NAMESPACE)
    return tables_catalog


def append(table: Table, ids: Iterable[str]) -> None:
    """A commit for each record id."""
    for record_id in ids:
        row = {"model": "m", "version": "v", "record_id": record_id, "cluster": 0, "held_out": False}
        table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))


def read_ids(name: str) -> list[str]:
    """The record ids of all rows, as a new process reads them."""
    table = catalog.load_catalog().load_table(f"{NAMESPACE}.{name}")
    return sorted(table.scan().to_arrow().column("record_id").to_pylist())


def file_of_catalog() -> Path:
    return Path(settings().catalog_jdbc.removeprefix("jdbc:sqlite:"))


def lose_catalog() -> None:
    """The database is gone, with all that it held."""
    catalog.load_catalog().engine.dispose()
    file_of_catalog().unlink()
    catalog.load_catalog.cache_clear()
