"""Old versions go, whatever is or was served stays, and a kill at any moment breaks nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from millrace.errors import CorruptError, NotFoundError, UnavailableError
from millrace.registry.champion import Champion
from millrace.registry.manifest import Manifest
from millrace.registry.promotion import RETIRED, claim_key, move_champion
from millrace.registry.registry import Registry, champion_key, version_prefix
from millrace.registry.retention import RetentionRule, apply_retention, select_retired
from millrace.registry.store import ObjectStore
from tests.registry.made import draft, made

pytestmark = pytest.mark.parametrize("s3_settings", ["memory"], indirect=True, scope="package")
MODEL = ("courses", "popularity")
RULE = RetentionRule(versions=2, days=14)
LATER = timedelta(days=30)
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def manifest(days: float, algorithm: str = "kmeans") -> Manifest:
    created = NOW - timedelta(days=days)
    body = draft(*MODEL, algorithm, {}).model_dump()
    return Manifest(**body, version=f"{created:%Y%m%dT%H%M%SZ}-00000000", created_at=created, arrays={})


def retired_days(ages: list[float], champion: Champion | None = None, rule: RetentionRule = RULE) -> list[float]:
    by_version = {manifest(age).version: age for age in ages}
    manifests = [manifest(age) for age in sorted(ages, reverse=True)]
    return [by_version[version] for version in select_retired(manifests, champion, rule, NOW)]


def champion_of(*ages: float) -> Champion:
    *history, version = [manifest(age).version for age in ages]
    return Champion(version, NOW.isoformat(), history, "etag")


def test_newest_and_young_versions_are_kept(s3_settings):
    assert retired_days([40, 30, 20, 15, 13, 2]) == [40, 30, 20, 15]
    assert retired_days([40, 30, 20]) == [40]
    assert retired_days([40]) == []


def test_champion_and_its_whole_history_are_kept(s3_settings):
    assert retired_days([90, 80, 70, 60, 50, 40], champion_of(90, 80, 60)) == [70]


def test_version_of_the_last_day_is_kept_whatever_the_rule(s3_settings):
    rule = RetentionRule(versions=1, days=0)
    assert retired_days([3, 2, 0.9, 0.5, 0.1], rule=rule) == [3, 2]


def test_newest_version_of_each_algorithm_is_kept(s3_settings):
    manifests = [manifest(60, "attention"), manifest(50, "attention"), *(manifest(days) for days in (40, 30, 20))]
    retired = select_retired(manifests, None, RetentionRule(1, 14), NOW)
    assert retired == [manifests[0].version, manifests[2].version, manifests[3].version]


@pytest.fixture
def versions(registry: Registry) -> list[str]:
    """Six versions, of which the third was the champion and the fourth is."""
    result = [registry.publish(*made(*MODEL, seed)).version for seed in range(1, 7)]
    for number in (2, 3):
        registry.promote(*MODEL, result[number])
    return sorted(result)


def apply(registry: Registry, later: timedelta = LATER):
    return apply_retention(registry, *MODEL, RULE, datetime.now(UTC) + later)


def expected_kept(registry: Registry, versions: list[str]) -> set[str]:
    champion = registry.champion(*MODEL)
    return {champion.version, *champion.history, *versions[-RULE.versions :]}


def test_versions_are_retired_at_once_and_deleted_later(registry: Registry, versions: list[str]):
    kept = expected_kept(registry, versions)
    result = apply(registry)
    assert set(result.retired) == set(versions) - kept
    assert result.retired
    assert {found.version for found in registry.manifests(*MODEL)} == kept == {m.version for m in result.kept}
    with pytest.raises(NotFoundError):
        registry.promote(*MODEL, result.retired[0])
    retired = result.retired
    assert apply(registry, timedelta(minutes=30)).deleted == []
    assert apply(registry).deleted == retired
    assert set(registry.versions(*MODEL)) == kept
    for version in kept:
        registry.load(*MODEL, version)
    again = apply(registry)
    assert (again.retired, again.deleted) == ([], [])


class KilledStore(ObjectStore):
    """A store whose process is killed after so many changes."""

    left = 0

    def put(self, key: str, content: bytes) -> str:
        self._count()
        return super().put(key, content)

    def delete(self, key: str) -> None:
        self._count()
        super().delete(key)

    def _count(self) -> None:
        if self.left == 0:
            raise UnavailableError("killed")
        self.left -= 1


def test_kill_after_any_step_leaves_nothing_broken(registry: Registry, versions: list[str]):
    kept = expected_kept(registry, versions)
    store = KilledStore(registry.store.bucket)
    kills = 0
    while True:
        # Each run gets further than the last one: what was done stays done.
        store.left = 1 if kills < 4 else 3
        try:
            apply(Registry(store))
        except UnavailableError:
            kills += 1
        else:
            break
        present = {found.version for found in registry.manifests(*MODEL)}
        assert kept <= present
        for version in present:
            registry.load(*MODEL, version)
    assert kills > 4
    apply(registry)
    assert set(registry.versions(*MODEL)) == kept


def test_version_that_is_promoted_while_it_is_retired_stays_whole(registry: Registry, versions: list[str]):
    """The promotion has loaded it, the manifest goes, and only then champion.json is written."""
    before = registry.champion(*MODEL)
    version = apply(registry).retired[0]
    move_champion(registry.store, *MODEL, version, before.next_history(), before)
    registry.load(*MODEL, version)
    assert version not in apply(registry).deleted
    registry.load(*MODEL, version)


def test_version_that_became_champion_just_before_its_manifest_went_gets_it_back(
    registry: Registry, versions: list[str], monkeypatch: pytest.MonkeyPatch
):
    delete, promoted = registry.store.delete, []

    def promote_first(key: str) -> None:
        if key.endswith("manifest.json") and not promoted:
            promoted.append(key.split("/")[3])
            registry.promote(*MODEL, promoted[0])
        delete(key)

    monkeypatch.setattr(registry.store, "delete", promote_first)
    result = apply(registry)
    assert promoted[0] not in result.retired
    registry.load(*MODEL, registry.require_champion(*MODEL).version)


def test_champion_whose_manifest_was_left_retired_by_a_kill_is_put_back(registry: Registry, versions: list[str]):
    champion = registry.require_champion(*MODEL)
    prefix = version_prefix(*MODEL, champion.version)
    content, _ = registry.store.get(f"{prefix}/manifest.json")
    registry.store.put(f"{prefix}/{RETIRED}", content)
    registry.store.delete(f"{prefix}/manifest.json")
    apply(registry)
    registry.load(*MODEL, champion.version)


def test_upload_that_was_never_finished_is_deleted_after_a_day(registry: Registry, versions: list[str]):
    prefix = version_prefix(*MODEL, "20200101T000000Z-abcdef01")
    registry.store.put(f"{prefix}/centres.npy", b"x")
    assert apply(registry, timedelta(hours=20)).deleted == []
    assert apply(registry, timedelta(hours=25)).deleted == ["20200101T000000Z-abcdef01"]


def test_old_claims_go_but_for_the_one_of_the_champion_now(registry: Registry, versions: list[str]):
    champion = registry.require_champion(*MODEL)
    current = claim_key(*MODEL, champion.etag)
    registry.store.put(current, b"somebody is about to move it")
    count = len(registry.store.keys("moves/"))
    assert count > 1
    assert apply(registry, timedelta(hours=20)).claims == 0
    assert apply(registry).claims == count - 1
    assert registry.store.keys("moves/") == [current]


def test_nothing_goes_where_the_champion_cannot_be_read(registry: Registry, versions: list[str]):
    registry.store.put(champion_key(*MODEL), b"{")
    keys = registry.store.keys("")
    with pytest.raises(CorruptError, match=r"champion\.json can't be read"):
        apply(registry)
    assert registry.store.keys("") == keys
