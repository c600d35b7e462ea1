"""What the lake needs every quarter of an hour: a backup of its catalog, and an end to snapshots and metadata files.

The supervisor runs it on one machine, a CronJob of the chart on a cluster. It needs no Spark.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from millrace.errors import ConflictError, UnavailableError
from millrace.lake import backup, pointers
from millrace.lake.catalog import load_catalog
from millrace.lake.expiry import expire_snapshots
from millrace.lake.lease import hold_lease
from millrace.lake.metadata_files import LakeFiles
from millrace.registry.store import ObjectEntry
from millrace.settings import settings

log = logging.getLogger(__name__)

LEASE = "upkeep"
METADATA_HISTORY = timedelta(minutes=15)
"""For so long every metadata file is kept; after that those that the catalog or a backup names, and the newest ones."""
RETAINED_METADATA_FILES = 50
COMMIT_TIME = timedelta(minutes=1)
"""Longer than the catalog takes to name a file that was written for it."""


@dataclass(frozen=True)
class TableUpkeep:
    """What was done to one table."""

    table: str
    snapshots_expired: int
    files_deleted: int
    metadata_deleted: int


@dataclass(frozen=True)
class UpkeepResult:
    """A backup, the ones that it made needless, and what was done to each table."""

    backup: str
    backups_deleted: list[str]
    tables: list[TableUpkeep]


def keep_up(now: datetime | None = None) -> UpkeepResult:
    """Back up the catalog, then expire snapshots and remove metadata files of each table.

    Raises ConflictError where another one runs, UnavailableError with every table that could not be looked after; the
    others are.
    """
    now = now or datetime.now(UTC)
    busy = "The upkeep of this lake is running already; only one is allowed. Wait for it."
    with hold_lease(LEASE, busy, patience=0):
        written, removed = backup.write_backup(now), backup.remove_expired(now)
        named = backup.list_named_locations()
        results, faults = [], []
        for name in sorted(pointers.list_pointers()):
            try:
                results.append(_keep_up_table(name, named, now))
            except NoSuchTableError:
                continue  # dropped meanwhile
            except Exception as error:
                # One table must not keep the others from their upkeep.
                log.debug("%s", name, exc_info=True)
                faults.append(f"{name}: {str(error) or type(error).__name__}")
    if faults:
        raise UnavailableError(f"The upkeep failed for {'; '.join(faults)}", code="upkeep_failed")
    return UpkeepResult(written.name, removed, results)


def _keep_up_table(name: str, named: Collection[str], now: datetime) -> TableUpkeep:
    table, files = load_catalog().load_table(name), LakeFiles(backup.open_store())
    if not files.is_here(table.location()):
        return TableUpkeep(name, 0, 0, 0)
    entries = files.list_entries(table.location())
    if ahead := find_ahead(files, table, entries, now):
        raise ConflictError(
            f"the bucket holds newer metadata than the catalog names ({ahead}). Was the catalog restored? "
            "`millrace catalog rebuild --dry-run` shows it."
        )
    expired = expire_snapshots(table, files, int(now.timestamp() * 1000), settings().snapshot_history)
    # Read after the listing: what the catalog named in between is younger than anything that is removed.
    kept = {*named, *pointers.list_pointers().values()}
    removed = select_old_metadata(entries, {files.to_key(location) for location in kept}, now)
    for entry in removed:
        files.store.delete(entry.key)
    return TableUpkeep(name, expired.snapshots, expired.files, len(removed))


def find_ahead(files: LakeFiles, table: Table, entries: list[ObjectEntry], now: datetime) -> str | None:
    """A metadata file that follows the one which the catalog names, and has had the time to be named itself.

    `entries` are the table's metadata files, the latest first.
    """
    current = next((entry for entry in entries if files.to_location(entry.key) == table.metadata_location), None)
    for entry in entries:
        if current is None or entry.modified < current.modified:
            break
        if entry.modified < now - COMMIT_TIME and entry is not current:
            file = files.read(files.to_location(entry.key))
            if file and table.metadata_location in file.followed:
                return file.location
    return None


def select_old_metadata(entries: list[ObjectEntry], kept: Collection[str], now: datetime) -> list[ObjectEntry]:
    """The metadata files of a table to remove, from all of them, the latest first; `kept` are keys."""
    since = now - METADATA_HISTORY
    return [entry for entry in entries[RETAINED_METADATA_FILES:] if entry.modified < since and entry.key not in kept]
