"""A champion that can't be used is loaded once, not at every poll: by the API, the updater and the stream."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from millrace.errors import UnavailableError
from millrace.online.log_lease import Tenure
from millrace.online.scratch import ScratchFolder
from millrace.online.updater import ModelFollower
from millrace.registry.champion import format_champion
from millrace.registry.champion_watcher import ChampionWatcher
from millrace.registry.registry import Registry, champion_key
from millrace.serving import model_store
from millrace.serving.kinds.clusters import LoadedClusters
from millrace.serving.model_store import ModelStore
from millrace.stream.champion import ChampionFollower
from millrace.workloads import find_workload
from tests.registry.made import made

COURSES = ("courses", "popularity")


class CountingRegistry(Registry):
    """Counts the versions that are loaded, wholly or in part; fails as often as `outages` says."""

    loads = outages = 0

    def _count(self) -> None:
        self.loads += 1
        if self.outages:
            self.outages -= 1
            raise UnavailableError("S3 is out of reach")

    def load(self, *args, **kwargs):
        self._count()
        return super().load(*args, **kwargs)

    def load_some(self, *args, **kwargs):
        self._count()
        return super().load_some(*args, **kwargs)


@dataclass
class Watching:
    """Who watches a model, and how it polls once."""

    model: tuple[str, str]
    registry: CountingRegistry
    poll: Callable[[], object]


def watch_as_api(registry: CountingRegistry, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Watching:
    monkeypatch.setattr(model_store, "load_workloads", lambda: {"courses": find_workload("courses")})
    return Watching(COURSES, registry, ModelStore(registry).poll)


def watch_as_updater(registry: CountingRegistry, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Watching:
    workload = find_workload("mooc")
    model = workload.recommenders[0]
    follower = ModelFollower(registry, workload, model, ScratchFolder(folder, 1 << 30))
    follower.lease.tenure = Tenure(None)
    return Watching((workload.name, model.name), registry, follower.check)


def watch_as_stream(registry: CountingRegistry, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Watching:
    workload = find_workload("urls")
    model = workload.pages[0]
    follower = ChampionFollower(workload, model)
    follower.__dict__["registry"] = registry
    return Watching((workload.name, model.name), registry, follower.check)


@pytest.fixture(params=[watch_as_api, watch_as_updater, watch_as_stream], ids=["api", "updater", "stream"])
def watching(request, store, monkeypatch, tmp_path) -> Watching:
    return request.param(CountingRegistry(store), monkeypatch, tmp_path)


def publish_damaged(registry: Registry, model: tuple[str, str], seed: int) -> str:
    """A version whose manifest can't be trusted, made the champion past all checks."""
    version = registry.publish(*made(*model, seed)).version
    registry.store.put(f"models/{model[0]}/{model[1]}/{version}/manifest.json", b"{")
    registry.store.put(champion_key(*model), format_champion(version, f"{seed}", []))
    return version


def test_damaged_champion_is_loaded_once_in_ten_polls(watching, caplog):
    for seed in (1, 2):
        version = publish_damaged(watching.registry, watching.model, seed)
        for _ in range(10):
            watching.poll()
        assert watching.registry.loads == seed
        assert caplog.text.count(f"{version}/manifest.json is not JSON") == 1


def test_champion_that_is_not_there_is_looked_for_once_in_ten_polls(watching):
    watching.registry.store.put(champion_key(*watching.model), format_champion("20260101T000000Z-00000000", "now", []))
    for _ in range(10):
        watching.poll()
    assert watching.registry.loads == 1


def test_api_keeps_serving_and_reporting_while_a_champion_is_refused(store, monkeypatch, tmp_path):
    watching = watch_as_api(CountingRegistry(store), monkeypatch, tmp_path)
    models: ModelStore = watching.poll.__self__
    good = watching.registry.publish(*made(*COURSES, 9)).version
    watching.registry.promote(*COURSES, good)
    watching.poll()
    publish_damaged(watching.registry, COURSES, 1)
    for _ in range(3):
        watching.poll()
        assert "manifest.json is not JSON" in models.faults["courses/popularity"]
        assert models.get(*COURSES, LoadedClusters).manifest.version == good
    watching.registry.store.put(champion_key(*COURSES), format_champion(good, "later", []))
    watching.poll()
    assert models.faults == {}


def test_champion_is_tried_again_when_the_registry_was_out_of_reach(store, monkeypatch, tmp_path):
    watching = watch_as_api(CountingRegistry(store), monkeypatch, tmp_path)
    version = watching.registry.publish(*made(*COURSES)).version
    watching.registry.promote(*COURSES, version)
    watching.registry.loads, watching.registry.outages = 0, 2
    models: ModelStore = watching.poll.__self__
    for _ in range(5):
        watching.poll()
    assert watching.registry.loads == 3
    assert models.get(*COURSES, LoadedClusters).manifest.version == version


def test_updater_starts_a_follower_that_has_ended_again_until_it_succeeds(store, monkeypatch, tmp_path):
    registry = CountingRegistry(store)
    watching = watch_as_updater(registry, monkeypatch, tmp_path)
    updater: ModelFollower = watching.poll.__self__
    version = registry.publish(*made(*watching.model)).version
    registry.promote(*watching.model, version)
    fold, attempts = SimpleNamespace(base=SimpleNamespace(version=version)), []
    ended, running = (
        SimpleNamespace(fold=fold, publisher=SimpleNamespace(settled=False), is_alive=lambda alive=alive: alive)
        for alive in (False, True)
    )

    def take_up(version: str, tenure: Tenure) -> None:
        attempts.append(version)
        if len(attempts) in (2, 3):
            raise UnavailableError("Kafka is out of reach")
        updater.now = running if len(attempts) == 4 else ended

    monkeypatch.setattr(updater, "_take_up", take_up)
    for _ in range(6):
        updater.check()
    assert attempts == [version] * 4
    assert updater.now is running


def test_pin_reaches_the_api_without_a_load(store, monkeypatch, tmp_path):
    watching = watch_as_api(CountingRegistry(store), monkeypatch, tmp_path)
    watching.registry.promote(*COURSES, watching.registry.publish(*made(*COURSES)).version)
    models: ModelStore = watching.poll.__self__
    watching.poll()
    assert models.champion(*COURSES).pin is None
    loads = watching.registry.loads
    pin = watching.registry.pin(*COURSES).pin
    watching.poll()
    assert models.champion(*COURSES).pin == pin
    assert watching.registry.loads == loads


def test_watcher_returns_a_champion_until_it_is_accepted_or_refused(registry):
    watcher = ChampionWatcher(registry, *COURSES)
    assert watcher.poll() is None
    versions = [registry.publish(*made(*COURSES, seed)).version for seed in (1, 2)]
    first = registry.promote(*COURSES, versions[0])
    assert watcher.poll() == watcher.poll() == first
    watcher.accept(first)
    assert watcher.poll() is None
    second = registry.promote(*COURSES, versions[1])
    watcher.refuse(second, "damaged")
    assert watcher.poll() is None
    assert (watcher.champion, watcher.refused.champion, watcher.refused.reason) == (first, second, "damaged")
    third = registry.rollback(*COURSES)
    assert watcher.poll() == third
    watcher.accept(third)
    assert watcher.refused is None
