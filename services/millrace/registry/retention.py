"""Which versions of a model are kept, and how the others go: a kill at any moment leaves nothing broken.

A version exists by its manifest. So that goes first: it is set aside as `retired.json`, and nobody finds the version
any more. Its arrays are deleted by a later run, after GRACE: until then a promotion that was on its way when the
manifest went finds everything, and puts the manifest back (`promotion.revive_version`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from millrace.errors import NotFoundError
from millrace.registry.champion import Champion
from millrace.registry.manifest import Manifest
from millrace.registry.promotion import RETIRED, claim_key, revive_version
from millrace.registry.registry import Registry, version_prefix
from millrace.registry.store import ObjectEntry
from millrace.rights import MODELS, MOVES
from millrace.settings import settings

YOUNG = timedelta(days=1)
"""A version, or an upload that was never finished, is left alone for so long, and so is a claim of a promotion."""
GRACE = timedelta(hours=1)
"""From the end of a version to that of its arrays; longer than any promotion takes."""


@dataclass(frozen=True)
class RetentionRule:
    """Kept are champions and their history, the newest `versions`, and whatever is younger than `days`."""

    versions: int
    days: float

    @classmethod
    def from_settings(cls) -> "RetentionRule":
        return cls(settings().retain_versions, settings().retain_days)


@dataclass(frozen=True)
class RetentionResult:
    """What is left of a model, and what went."""

    model: str
    kept: list[Manifest]
    retired: list[str]
    """Versions that nobody finds any more."""
    deleted: list[str]
    """Earlier ones whose last objects are gone too."""
    claims: int


def select_retired(
    manifests: Sequence[Manifest], champion: Champion | None, rule: RetentionRule, now: datetime
) -> list[str]:
    """The versions that may go, from the manifests of all, oldest first.

    The newest of each algorithm stays too: `continual` starts from it, whether it was promoted or not.
    """
    youngest = now - max(YOUNG, timedelta(days=rule.days))
    newest_of = {manifest.algorithm: manifest.version for manifest in manifests}
    kept = {*_find_protected(champion), *newest_of.values()} | {
        manifest.version for manifest in manifests[-rule.versions :]
    }
    return [
        manifest.version
        for manifest in manifests
        if manifest.version not in kept and manifest.created_at.astimezone(UTC) < youngest
    ]


def apply_retention(
    registry: Registry, workload: str, model: str, rule: RetentionRule, now: datetime | None = None
) -> RetentionResult:
    """Retire the versions that the rule does not keep, and delete what earlier runs have retired.

    Raises CorruptError where champion.json can't be read: then nobody knows what to keep, and nothing goes.
    """
    now = now or datetime.now(UTC)
    manifests = registry.manifests(workload, model)
    retired = select_retired(manifests, registry.champion(workload, model), rule, now)
    gone = {version for version in retired if _retire(registry, workload, model, version)}
    deleted = _delete_remains(registry, workload, model, now, gone)
    return RetentionResult(
        f"{workload}/{model}",
        [manifest for manifest in manifests if manifest.version not in gone],
        sorted(gone),
        deleted,
        _delete_claims(registry, workload, model, now),
    )


def _find_protected(champion: Champion | None) -> set[str]:
    return {champion.version, *champion.history} if champion else set()


def _retire(registry: Registry, workload: str, model: str, version: str) -> bool:
    """Set the manifest aside. False where the version became a champion at the same time: then it is back."""
    store, prefix = registry.store, version_prefix(workload, model, version)
    try:
        content, _ = store.get(f"{prefix}/manifest.json")
    except NotFoundError:
        return True
    store.put(f"{prefix}/{RETIRED}", content)
    store.delete(f"{prefix}/manifest.json")
    if version in _find_protected(registry.champion(workload, model)):
        store.put(f"{prefix}/manifest.json", content)
        return False
    return True


def _delete_remains(registry: Registry, workload: str, model: str, now: datetime, spared: set[str]) -> list[str]:
    """Delete the objects of versions without a manifest, once nobody can be about to promote or to publish them.

    Those that were retired a moment ago are `spared`, whatever the store's clock says.
    """
    deleted, folders = [], _group_by_version(registry.store.entries(f"{MODELS}{workload}/{model}/"))
    for version, entries in folders.items():
        names = {entry.key.rpartition("/")[2]: entry for entry in entries}
        if "manifest.json" in names or version in spared:
            continue
        retired = names.get(RETIRED)
        since = retired.modified if retired else max(entry.modified for entry in entries)
        if now - since < (GRACE if retired else YOUNG):
            continue
        if version in _find_protected(registry.champion(workload, model)):
            revive_version(registry.store, workload, model, version)
            continue
        # What says since when it is retired goes last: a run that was killed is finished by the next one.
        for entry in sorted(entries, key=lambda entry: entry is retired):
            registry.store.delete(entry.key)
        deleted.append(version)
    return deleted


def _group_by_version(entries: Sequence[ObjectEntry]) -> dict[str, list[ObjectEntry]]:
    folders: dict[str, list[ObjectEntry]] = {}
    for entry in entries:
        parts = entry.key.split("/")
        if len(parts) > 4:  # models/<workload>/<model>/<version>/<file>
            folders.setdefault(parts[3], []).append(entry)
    return folders


def _delete_claims(registry: Registry, workload: str, model: str, now: datetime) -> int:
    """Delete the claims of moves away from earlier champions: no ETag comes back, so nobody meets them again."""
    champion = registry.champion(workload, model)
    if champion is None:
        return 0
    current = claim_key(workload, model, champion.etag)
    entries = registry.store.entries(f"{MOVES}{workload}/{model}/")
    old = [entry for entry in entries if entry.key != current and now - entry.modified > YOUNG]
    for entry in old:
        registry.store.delete(entry.key)
    return len(old)
