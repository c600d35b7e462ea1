"""Snapshots that nobody needs any more: one rule for every table, and the files that only they hold.

Every commit writes the table's metadata again, and the metadata names all snapshots: its size is what a commit costs.
So snapshots go by age, and at most MAX_SNAPSHOTS stay; tagged ones, which a model was trained on, are kept.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from pyiceberg.io import FileIO
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot

from millrace.lake.metadata_files import LakeFiles

log = logging.getLogger(__name__)

MAX_SNAPSHOTS = 1_000
"""Snapshots without a tag that outlast an expiry, whatever their age."""
RETAINED_SNAPSHOTS = 20
"""Snapshots that are kept in any case: writers look for what they did last behind the commits of others."""
EXPIRE_INTERVAL_S = 900.0
"""Seconds between two expiries, on one machine and by the chart's schedule."""
SNAPSHOT_BYTES = 1_115
"""What a snapshot of the sink or the stream takes of a metadata file: measured 974 to 1,115."""
METADATA_BUDGET_BYTES = 3_000_000
"""What a metadata file may take with a commit a second and 250 tagged snapshots."""
PARALLEL_REQUESTS = 8


@dataclass(frozen=True)
class ExpiryResult:
    """What was removed of one table."""

    snapshots: int
    files: int


def find_cutoff(times_ms: Sequence[int], now_ms: int, history_s: float) -> int:
    """The time in milliseconds before which snapshots expire, from the times of all: by age, or by their number."""
    oldest = sorted(times_ms)[-MAX_SNAPSHOTS] if len(times_ms) > MAX_SNAPSHOTS else 0
    return max(now_ms - int(history_s * 1000), oldest)


def select_expired(snapshots: Sequence[Snapshot], named: set[int], now_ms: int, history_s: float) -> list[Snapshot]:
    """The snapshots to drop; `named` are the ids of branches and tags.

    The age of one counts from the next one on: until then it was what every reader took. The last append stays too: in
    its summary are the offsets up to which sink and stream have written.
    """
    ordered = sorted(snapshots, key=lambda snapshot: (snapshot.sequence_number or 0, snapshot.timestamp_ms))
    appends = [snapshot for snapshot in ordered if _operation(snapshot) == Operation.APPEND]
    kept = named | {snapshot.snapshot_id for snapshot in (*ordered[-RETAINED_SNAPSHOTS:], *appends[-1:])}
    cutoff = find_cutoff([snapshot.timestamp_ms for snapshot in ordered], now_ms, history_s)
    return [
        snapshot
        for snapshot, following in pairwise(ordered)
        if following.timestamp_ms <= cutoff and snapshot.snapshot_id not in kept
    ]


def expire_snapshots(table: Table, files: LakeFiles, now_ms: int, history_s: float) -> ExpiryResult:
    """Drop the table's expired snapshots, then the files that only they hold.

    Its commit is like the sink's: where it meets another one it tries again. A kill between the two leaves files that
    nothing names and that nobody reads.
    """
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    expired = select_expired(table.metadata.snapshots, named, now_ms, history_s)
    if not expired:
        return ExpiryResult(0, 0)
    table.maintenance.expire_snapshots().by_ids([snapshot.snapshot_id for snapshot in expired]).commit()
    table.refresh()
    remaining = {snapshot.snapshot_id for snapshot in table.metadata.snapshots}
    expired = [snapshot for snapshot in expired if snapshot.snapshot_id not in remaining]
    orphans = find_orphans(table.io, expired, table.metadata.snapshots)
    keys = [files.to_key(location) for location in orphans if files.is_here(location)]
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        list(pool.map(files.store.delete, keys))
    return ExpiryResult(len(expired), len(keys))


def find_orphans(io: FileIO, expired: Sequence[Snapshot], kept: Sequence[Snapshot]) -> list[str]:
    """Manifest lists, manifests and data files that expired snapshots hold and kept ones do not."""
    dropped, held = _read_manifests(io, expired), _read_manifests(io, kept)
    manifests = [manifest for path, manifest in dropped.items() if path not in held]
    orphans = [snapshot.manifest_list for snapshot in expired]
    orphans += [manifest.manifest_path for manifest in manifests]
    if manifests and not _has_only_appended(expired, kept):
        live = _read_data_files(io, list(held.values()), discard_deleted=True)
        orphans += sorted(_read_data_files(io, manifests, discard_deleted=False) - live)
    return orphans


def _has_only_appended(expired: Sequence[Snapshot], kept: Sequence[Snapshot]) -> bool:
    """Whether every data file of the expired snapshots is held by the first kept one after them.

    So it is where all commits up to that one are known, and only added files. After a tag there are gaps.
    """
    operations = {snapshot.sequence_number: _operation(snapshot) for snapshot in (*expired, *kept)}
    numbers = [snapshot.sequence_number or 0 for snapshot in expired]
    return all(operations.get(number) == Operation.APPEND for number in range(min(numbers), max(numbers) + 2))


def _operation(snapshot: Snapshot) -> Operation | None:
    return snapshot.summary.operation if snapshot.summary else None


def _read_manifests(io: FileIO, snapshots: Sequence[Snapshot]) -> dict[str, ManifestFile]:
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        lists = pool.map(lambda snapshot: snapshot.manifests(io), snapshots)
        return {manifest.manifest_path: manifest for manifests in lists for manifest in manifests}


def _read_data_files(io: FileIO, manifests: Sequence[ManifestFile], *, discard_deleted: bool) -> set[str]:
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        entries = pool.map(lambda manifest: manifest.fetch_manifest_entry(io, discard_deleted), manifests)
        return {entry.data_file.file_path for found in entries for entry in found}
