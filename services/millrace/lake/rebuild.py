"""The catalog again, from the metadata files in the bucket: each table's newest one counts.

A catalog that was restored is as old as its backup, and its tables with it: all that was committed since is in files
that no catalog names. A catalog that is lost altogether is rebuilt in the same way, from the folders alone.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from millrace.errors import BadInputError, ConflictError
from millrace.lake import pointers
from millrace.lake.backup import open_store
from millrace.lake.lease import hold_lease
from millrace.lake.metadata_files import LakeFiles, MetadataFile, MetadataHistory
from millrace.lake.upkeep import LEASE
from millrace.rights import WAREHOUSE

CURRENT, BEHIND, MISSING, NEWER, AMBIGUOUS, LOST = "current", "behind", "missing", "newer", "ambiguous", "lost"
"""States of a table: the catalog names its newest file, an earlier one, none; one that is newer than what the bucket
holds; two files may be the newest; the catalog names a table of which the bucket has nothing."""
REFUSED = (NEWER, AMBIGUOUS, LOST)


@dataclass(frozen=True)
class RebuildStep:
    """What a rebuild does to one table."""

    table: str
    state: str
    registered: str | None
    """The file that the catalog names now."""
    newest: MetadataFile | None
    """The file that counts afterwards."""
    tips: tuple[MetadataFile, ...] = ()
    """All that may be the newest, where that is open."""


def plan_rebuild(tables: Collection[str] = (), chosen: Collection[str] = ()) -> list[RebuildStep]:
    """What there is of each table, or of `tables` alone; nothing is changed.

    `chosen` are locations of metadata files that count where two of a table may. Raises NotFoundError for an unknown
    table, UnavailableError.
    """
    registered, files = pointers.list_pointers(), LakeFiles(open_store())
    locations = {name: _table_location(location) for name, location in registered.items()}
    locations = _find_folders(files, set(locations.values())) | locations
    if unknown := sorted(set(tables) - locations.keys()):
        allowed = ", ".join(sorted(locations)) or "none: the bucket has no tables"
        raise BadInputError(
            f"{unknown[0]!r} is no table of the lake; allowed: {allowed}.", field="table", allowed=allowed
        )
    wanted = sorted(tables or locations)
    return [_plan_table(files, name, locations[name], registered.get(name), chosen) for name in wanted]


def rebuild_catalog(steps: Iterable[RebuildStep]) -> list[str]:
    """Let the newest file of each table count; the names of the tables that changed.

    Raises ConflictError, before anything is changed, where a step says that the catalog is newer or the newest file is
    open; and where something commits meanwhile.
    """
    steps = list(steps)
    if refused := [step for step in steps if step.state in REFUSED]:
        raise ConflictError(" ".join(_explain(step) for step in refused), code="catalog_differs")
    changed = []
    for step in steps:
        if step.newest and step.state in (BEHIND, MISSING):
            pointers.move_pointer(step.table, step.registered, step.newest.location)
            changed.append(step.table)
    return changed


@contextmanager
def keep_others_away() -> Iterator[None]:
    """For the time of a restore or a rebuild no upkeep removes anything. Raises ConflictError."""
    with hold_lease(LEASE, "The upkeep of this lake is running; wait until it is done, and try again."):
        yield


def _find_folders(files: LakeFiles, known: Collection[str]) -> dict[str, str]:
    """Table -> location of the folders of the warehouse that no table of the catalog is in."""
    folders = {}
    for namespace in files.store.names(WAREHOUSE):
        for name in files.store.names(f"{WAREHOUSE}{namespace}/"):
            location = files.to_location(f"{WAREHOUSE}{namespace}/{name}")
            if location not in known and files.list_entries(location):
                folders[f"{namespace}.{name}"] = location
    return folders


def _table_location(metadata_location: str) -> str:
    return metadata_location.rpartition("/metadata/")[0]


def _plan_table(
    files: LakeFiles, table: str, location: str, registered: str | None, chosen: Collection[str]
) -> RebuildStep:
    before = files.read(registered) if registered else None
    history = files.read_history(files.list_entries(location), before.table_uuid if before else None)
    tips = history.find_tips()
    if not tips:
        return RebuildStep(table, LOST, registered, None)
    if len(tips) > 1:
        # What the catalog names was committed; what else follows the same file was not.
        tips = [tip for tip in tips if tip.location in chosen or tip.location == registered] or tips
    if len(tips) > 1:
        return RebuildStep(table, AMBIGUOUS, registered, None, tuple(tips))
    (newest,) = tips
    return RebuildStep(table, _compare(history, registered, before, newest), registered, newest)


def _compare(
    history: MetadataHistory, registered: str | None, before: MetadataFile | None, newest: MetadataFile
) -> str:
    if registered is None:
        return MISSING
    if registered == newest.location:
        return CURRENT
    # Nothing can be said against one that is gone.
    if before is None or registered in history.trace_ancestors(newest.location):
        return BEHIND
    # Older than the logs reach, it can only be told by its age; within their reach it is on another line.
    is_older = (before.sequence, before.updated_ms) < (newest.sequence, newest.updated_ms)
    return BEHIND if is_older and registered not in history.files else NEWER


def _explain(step: RebuildStep) -> str:
    if step.state == AMBIGUOUS:
        names = " and ".join(f"{tip.location} ({tip.rows} rows, {tip.updated_at:%F %T})" for tip in step.tips)
        return (
            f"Of {step.table} two commits followed the same one, and the catalog knows neither: {names}. Choose with "
            "--metadata LOCATION; the rows of the other one are not in it."
        )
    if step.state == LOST:
        return f"The catalog names {step.registered} for {step.table}, and the bucket has no metadata of it."
    newest = f"{step.newest.location} of {step.newest.updated_at:%F %T}" if step.newest else "none"
    return (
        f"The catalog is newer than the bucket for {step.table}: it names {step.registered}, the newest that leads "
        f"there otherwise is {newest}. Nothing was changed; name the other tables to rebuild them alone."
    )
