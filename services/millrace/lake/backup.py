"""Backups of the catalog in the lake's bucket: catalog/<time>.json, the rows of its two tables."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from millrace.errors import CorruptError, NotFoundError
from millrace.lake import pointers
from millrace.registry.store import ObjectStore
from millrace.rights import CATALOG_BACKUPS
from millrace.settings import settings

log = logging.getLogger(__name__)

BACKUP_FORMAT = "millrace.catalog/1"
NAME_FORMAT = "%Y%m%dT%H%M%SZ"
EVERY_BACKUP, HOURLY_BACKUPS = timedelta(hours=1), timedelta(days=2)
"""For so long every backup is kept, then the last one of an hour; after that the last one of each day."""


@dataclass(frozen=True)
class Backup:
    """The rows of the catalog at a time."""

    name: str
    rows: dict[str, pointers.Rows]

    @property
    def locations(self) -> set[str]:
        """The metadata files that it names."""
        return {row["metadata_location"] for row in self.rows[pointers.TABLES] if row["metadata_location"]}

    @property
    def tables(self) -> list[str]:
        return sorted(f"{row['table_namespace']}.{row['table_name']}" for row in self.rows[pointers.TABLES])


def open_store() -> ObjectStore:
    """The bucket of lake and backups."""
    return ObjectStore(settings().lake_bucket)


def write_backup(now: datetime | None = None) -> Backup:
    """Back up the catalog as it is."""
    now = now or datetime.now(UTC)
    backup = Backup(now.strftime(NAME_FORMAT), pointers.read_rows())
    body = {"format": BACKUP_FORMAT, "created_at": now.isoformat(timespec="seconds"), "rows": backup.rows}
    open_store().put(_key(backup.name), orjson.dumps(body, option=orjson.OPT_INDENT_2))
    return backup


def list_backups() -> list[str]:
    """The names of all backups, the newest last: they are times."""
    names = (key.removeprefix(CATALOG_BACKUPS).removesuffix(".json") for key in open_store().keys(CATALOG_BACKUPS))
    return [name for name in names if _time(name)]


def read_backup(name: str | None = None) -> Backup:
    """A backup, by default the newest. Raises NotFoundError, or CorruptError that says what is wrong with it."""
    names = list_backups()
    name = name or (names[-1] if names else None)
    if name is None or name not in names:
        where = f"s3://{settings().lake_bucket}/{CATALOG_BACKUPS}"
        allowed = ", ".join(names[-5:]) or "none is there"
        raise NotFoundError(
            f"There is no backup {name or ''} in {where}; the last ones: {allowed}.".replace("  ", " "),
            field="backup",
            allowed=allowed,
        )
    return _load(name)


def list_named_locations() -> set[str]:
    """The metadata files that any backup names. One that can't be read is reported, and names none."""
    locations: set[str] = set()
    for name in list_backups():
        try:
            locations |= _load(name).locations
        except CorruptError as error:
            log.warning("%s", error.message)
    return locations


def _load(name: str) -> Backup:
    content, _ = open_store().get(_key(name))
    try:
        body: Any = orjson.loads(content)
        if body["format"] != BACKUP_FORMAT:
            raise ValueError(f"the format is {body['format']!r}, this version reads {BACKUP_FORMAT!r}")
        backup = Backup(name, {table: body["rows"][table] for table in (pointers.NAMESPACES, pointers.TABLES)})
        log.debug("%s holds %s tables, %s files", name, len(backup.tables), len(backup.locations))
        return backup
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"{_key(name)} is no backup of a catalog: {error}. Take another one.", field="backup"
        ) from None


def restore_backup(name: str | None = None, dry_run: bool = False) -> tuple[Backup, list[str]]:
    """Add the tables and namespaces of a backup that the catalog lacks; which tables those are.

    A table that the catalog has stays as it is: `rebuild_catalog` brings it up to date.
    """
    backup = read_backup(name)
    missing = pointers.find_missing(backup.rows) if dry_run else pointers.insert_missing(backup.rows)
    return backup, Backup(backup.name, missing).tables


def select_expired(names: Sequence[str], now: datetime, days: int) -> list[str]:
    """Backups to remove: those older than `days`, and of the others those that EVERY_BACKUP thins out.

    The newest is never among them, nor the last one of a day.
    """
    last_of_hour = {name[:11]: name for name in sorted(names)}
    last_of_day = {name[:8]: name for name in sorted(names)}
    newest = max(names, default=None)

    def is_kept(name: str) -> bool:
        age = now - (_time(name) or now)
        if name == newest or age <= EVERY_BACKUP or (age <= HOURLY_BACKUPS and name == last_of_hour[name[:11]]):
            return True
        return age <= timedelta(days=days) and name == last_of_day[name[:8]]

    return [name for name in names if not is_kept(name)]


def remove_expired(now: datetime | None = None) -> list[str]:
    """Remove the backups that `select_expired` names, and return them."""
    expired = select_expired(list_backups(), now or datetime.now(UTC), settings().catalog_backup_days)
    store = open_store()
    for name in expired:
        store.delete(_key(name))
    return expired


def _key(name: str) -> str:
    return f"{CATALOG_BACKUPS}{name}.json"


def _time(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, NAME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
