"""The lake's catalog: backups, restoring, rebuilding, and the upkeep of its tables."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.output import Json, emit, err, handle_errors, make_table

if TYPE_CHECKING:
    from millrace.lake.rebuild import RebuildStep

catalog_app = typer.Typer(no_args_is_help=True, help="Back up, restore and rebuild the catalog of the lake.")
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(catalog_app, name="catalog")


@catalog_app.command("backup", epilog="Example: `millrace catalog backup --json | jq -r .backup`")
@handle_errors
def backup(as_json: Json = False) -> None:
    """Write all that the catalog holds to the lake's bucket: which metadata file counts for each table."""
    from millrace.lake.backup import write_backup

    written = write_backup()
    result = {"backup": written.name, "tables": written.tables}
    emit(result, as_json, lambda: f"backup {written.name}: {len(written.tables)} tables")


@catalog_app.command("list", epilog="Example: `millrace catalog list`")
@handle_errors
def list_all(as_json: Json = False) -> None:
    """The backups in the lake's bucket, the newest last."""
    from millrace.lake.backup import list_backups, read_backup

    rows = [{"backup": name, "tables": len(read_backup(name).tables)} for name in list_backups()]
    emit(rows, as_json, lambda: make_table(None, "backup", "tables", rows=[[*row.values()] for row in rows]))


@catalog_app.command("restore", epilog="Example: `millrace catalog restore && millrace catalog rebuild`")
@handle_errors
def restore(
    name: Annotated[str | None, typer.Argument(metavar="[BACKUP]", help="The newest by default.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Add the tables of a backup that the catalog lacks; those it has stay as they are. Then rebuild."""
    from millrace.lake.backup import restore_backup
    from millrace.lake.rebuild import keep_others_away

    with keep_others_away():
        taken, tables = restore_backup(name, dry_run)
    result = {"backup": taken.name, "tables": tables, "dry_run": dry_run}
    verb = "would add" if dry_run else "added"
    emit(result, as_json, lambda: f"backup {taken.name} {verb} {', '.join(tables) or 'nothing: all are there'}")


@catalog_app.command("rebuild", epilog="Examples: `millrace catalog rebuild --dry-run`; `millrace catalog rebuild`")
@handle_errors
def rebuild(
    tables: Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...", help="All by default.")] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="LOCATION", help="The file that counts, where two of a table may; may be repeated."),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let the newest metadata file in the bucket count for each table. Stop whatever writes to the lake first."""
    from millrace.lake.rebuild import keep_others_away, plan_rebuild, rebuild_catalog

    with keep_others_away():
        steps = plan_rebuild(tables or (), metadata or ())
        result = [describe_step(step) for step in steps]
        if not as_json:
            emit(
                result,
                False,
                lambda: make_table(None, *COLUMNS, rows=[[row[name] for name in COLUMNS] for row in result]),
            )
        changed = [] if dry_run else rebuild_catalog(steps)
    if as_json:
        emit({"tables": result, "changed": changed, "dry_run": dry_run}, True)
    elif not dry_run:
        err.print(f"changed: {', '.join(changed) or 'nothing'}")


COLUMNS = ("table", "state", "committed", "rows", "snapshots", "newest")


def describe_step(step: "RebuildStep") -> dict[str, Any]:
    """What a rebuild found of a table: the newest metadata file, or all that may be."""
    newest = step.newest
    return {
        "table": step.table,
        "state": step.state,
        "committed": f"{newest.updated_at:%F %T}" if newest else None,
        "rows": newest.rows if newest else None,
        "snapshots": newest.snapshots if newest else None,
        "newest": newest.location if newest else " ".join(tip.location for tip in step.tips) or None,
        "registered": step.registered,
    }


@catalog_app.command("upkeep", epilog="Example: `millrace catalog upkeep`, every quarter of an hour")
@handle_errors
def upkeep(as_json: Json = False) -> None:
    """Back up the catalog, and remove expired snapshots and metadata files. `millrace up` and the chart run it."""
    from millrace.lake.upkeep import keep_up

    result = keep_up()
    columns = ("table", "snapshots", "files", "metadata files")
    rows = [[*asdict(table).values()] for table in result.tables]
    title = f"backup {result.backup}; removed:"
    emit(asdict(result), as_json, lambda: make_table(title, *columns, rows=rows))
