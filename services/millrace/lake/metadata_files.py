"""Metadata files of tables in the lake's bucket: each is a whole table, and the catalog only says which one counts.

Which is the newest is read from their content. A commit names all that it follows in its metadata log, so what another
file names is not the newest. A commit that lost a race may have left its file: it follows a file that the winner
follows too, and whoever came after the winner names the winner.
"""

import gzip
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import orjson

from millrace.errors import NotFoundError
from millrace.registry.store import ObjectEntry, ObjectStore

log = logging.getLogger(__name__)

FOLDER, SUFFIX = "/metadata/", ".metadata.json"
CLOCK_SKEW = timedelta(minutes=2)
"""How far the clock of whoever commits may be from the store's."""
PARALLEL_READS = 8
NO_SNAPSHOT = -1
"""As the current snapshot's id: what Iceberg for Java writes where there is none."""


@dataclass(frozen=True)
class MetadataFile:
    """A table as of one commit."""

    location: str
    table_uuid: str
    updated_ms: int
    """When the commit was made, by its writer's clock: milliseconds since 1970."""
    sequence: int
    """Commits of data so far."""
    rows: int
    snapshots: int
    followed: tuple[str, ...]
    """Locations of the files of the commits before, the latest last; Iceberg names the last 50."""
    log_begins_ms: int
    """The time of the first of those, or of this one."""

    @property
    def parent(self) -> str | None:
        return self.followed[-1] if self.followed else None

    @property
    def updated_at(self) -> datetime:
        return datetime.fromtimestamp(self.updated_ms / 1000, UTC)


def parse_metadata_file(content: bytes, location: str) -> MetadataFile | None:
    """None for one that is not whole: a writer was killed over it, and no catalog ever named it."""
    try:
        body = orjson.loads(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
        snapshots = {snapshot["snapshot-id"]: snapshot for snapshot in body.get("snapshots") or ()}
        current = snapshots.get(body.get("current-snapshot-id", NO_SNAPSHOT), {})
        entries = body.get("metadata-log") or ()
        return MetadataFile(
            location,
            body["table-uuid"],
            body["last-updated-ms"],
            body.get("last-sequence-number", 0),
            int(current.get("summary", {}).get("total-records", 0)),
            len(snapshots),
            tuple(entry["metadata-file"] for entry in entries),
            min([body["last-updated-ms"], *(entry["timestamp-ms"] for entry in entries)]),
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s is no metadata of a table and is passed over: %r", location, error)
        return None


class MetadataHistory:
    """The latest metadata files of one table, and how they follow each other."""

    def __init__(self, files: Sequence[MetadataFile]):
        self.files = {file.location: file for file in files}

    @cached_property
    def _parents(self) -> dict[str, str]:
        parents: dict[str, str] = {}
        for file in self.files.values():
            line = [*file.followed, file.location]
            parents |= dict(zip(line[1:], line, strict=False))
        return parents

    def trace_ancestors(self, location: str) -> list[str]:
        """The files that one follows, the nearest first, as far back as the logs reach."""
        ancestors: list[str] = []
        parent = self._parents.get(location)
        while parent is not None and parent not in ancestors:
            ancestors.append(parent)
            parent = self._parents.get(parent)
        return ancestors

    def find_tips(self) -> list[MetadataFile]:
        """Which may be the newest: one, unless two commits followed the same one and nothing came after either."""
        named = {location for file in self.files.values() for location in file.followed}
        leaves = [file for file in self.files.values() if file.location not in named]
        lines = {file.location: self.trace_ancestors(file.location)[1:] for file in leaves}

        def was_overtaken(leaf: MetadataFile) -> bool:
            return any(leaf.parent in line for location, line in lines.items() if location != leaf.location)

        tips = [leaf for leaf in leaves if leaf.parent is None or not was_overtaken(leaf)]
        return sorted(tips, key=lambda file: (file.sequence, file.updated_ms), reverse=True)


class LakeFiles:
    """The metadata files in the lake's bucket."""

    def __init__(self, store: ObjectStore):
        self.store = store

    def to_key(self, location: str) -> str:
        """The key of a location in this bucket; `s3://`, `s3a://` and `s3n://` mean the same."""
        return location.partition("://")[2].partition("/")[2]

    def to_location(self, key: str) -> str:
        return f"s3://{self.store.bucket}/{key}"

    def is_here(self, location: str) -> bool:
        """Whether a location is in this bucket."""
        return location.partition("://")[2].partition("/")[0] == self.store.bucket

    def list_entries(self, table_location: str) -> list[ObjectEntry]:
        """The metadata files below a table, the latest first; of those of one second the one of the highest number."""
        entries = self.store.entries(f"{self.to_key(table_location).rstrip('/')}{FOLDER}")
        entries = [entry for entry in entries if entry.key.endswith(SUFFIX)]
        return sorted(entries, key=lambda entry: (entry.modified, entry.key), reverse=True)

    def read(self, location: str) -> MetadataFile | None:
        """None where it is not there, or not whole."""
        try:
            content, _ = self.store.get(self.to_key(location))
        except NotFoundError:
            return None
        return parse_metadata_file(content, location)

    def read_history(self, entries: Iterable[ObjectEntry], table_uuid: str | None = None) -> MetadataHistory:
        """The history of a table, by default of the one that was written to last, from entries with the latest first.

        It reads as many as the latest one names, whatever their number: some fifty.
        """
        entries, newest = list(entries), None
        for number, entry in enumerate(entries):
            newest = self.read(self.to_location(entry.key))
            if newest and table_uuid in (None, newest.table_uuid):
                entries = entries[number + 1 :]
                break
        else:
            return MetadataHistory([])
        since = datetime.fromtimestamp(newest.log_begins_ms / 1000, UTC) - CLOCK_SKEW
        locations = [self.to_location(entry.key) for entry in entries if entry.modified >= since]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            files = [file for file in pool.map(self.read, locations) if file]
        return MetadataHistory([newest, *(file for file in files if file.table_uuid == newest.table_uuid)])
