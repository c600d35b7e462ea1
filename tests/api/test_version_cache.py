"""Versions other than the champion: whatever is asked for, the registry is asked seldom, and by few threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from millrace.errors import CorruptError, MillraceError, NotFoundError, UnavailableError
from millrace.registry.registry import Registry
from millrace.serving import load_gate, version_cache
from millrace.serving.kinds.base import LoadedModel
from millrace.serving.kinds.clusters import LoadedClusters
from millrace.serving.load_gate import MAX_CONCURRENT_LOADS, MAX_WAITING_LOADS
from millrace.serving.model_store import ModelStore
from millrace.serving.version_cache import FAULT_TTL_S, MAX_VERSIONS, NAMES_TTL_S, VersionCache
from tests.registry.made import made

MODEL = ("courses", "popularity")


class CountingRegistry(Registry):
    """Counts what is asked of S3 by the names of versions."""

    lists = gets = 0

    def versions(self, workload: str, model: str) -> list[str]:
        self.lists += 1
        return super().versions(workload, model)

    def manifest(self, workload: str, model: str, version: str):
        self.gets += 1
        return super().manifest(workload, model, version)


class FakeRegistry(Registry):
    """Has the names that a test gives it, and no store."""

    def __init__(self, names: list[str]):
        self.names, self.lists = names, 0

    def versions(self, workload: str, model: str) -> list[str]:
        self.lists += 1
        return self.names


class Loader:
    """Loads what it is asked for, or raises; counts the loads, and how many ran at once."""

    def __init__(self, error: MillraceError | None = None):
        self.error, self.loads = error, 0
        self.running = self.most = 0
        self.may_end, self._lock = threading.Event(), threading.Lock()
        self.may_end.set()

    def load(self, workload: str, model: str, version: str) -> LoadedModel:
        with self._lock:
            self.loads, self.running = self.loads + 1, self.running + 1
            self.most = max(self.most, self.running)
        self.may_end.wait(30)
        with self._lock:
            self.running -= 1
        if self.error:
            raise self.error
        return cast(LoadedModel, f"loaded {version}")


class Clock:
    """Seconds that a test moves on."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def name(number: int) -> str:
    return f"20260101T000000Z-{number:08x}"


def make_cache(loader: Loader, versions: int) -> tuple[VersionCache, FakeRegistry, Clock]:
    registry, clock = FakeRegistry([name(number) for number in range(versions)]), Clock()
    return VersionCache(registry, loader.load, clock), registry, clock


def test_unknown_versions_cost_one_list_however_many_are_asked_for(registry):
    registry.promote(*MODEL, registry.publish(*made(*MODEL)).version)
    counting = CountingRegistry(registry.store)
    models = ModelStore(counting)
    clock = models._others._clock = Clock()
    for number in range(50):
        with pytest.raises(NotFoundError, match="There is no version"):
            models.version(*MODEL, name(number), LoadedClusters)
        assert models.versions(*MODEL) == registry.versions(*MODEL)
    assert (counting.lists, counting.gets) == (1, 0)
    later = registry.publish(*made(*MODEL, seed=2)).version
    clock.seconds += NAMES_TTL_S
    assert models.version(*MODEL, later, LoadedClusters).manifest.version == later
    assert models.version(*MODEL, later, LoadedClusters).manifest.version == later
    assert (counting.lists, counting.gets) == (2, 1)


@pytest.mark.parametrize("error", [NotFoundError("no manifest"), CorruptError("no array")], ids=["missing", "corrupt"])
def test_version_that_can_not_be_loaded_is_tried_again_only_after_a_while(error):
    loader = Loader(error)
    cache, _, clock = make_cache(loader, 1)
    for _ in range(10):
        with pytest.raises(type(error), match=error.message):
            cache.get(*MODEL, name(0))
    assert loader.loads == 1
    clock.seconds += FAULT_TTL_S
    loader.error = None
    assert cache.get(*MODEL, name(0)) == f"loaded {name(0)}"
    assert loader.loads == 2


def test_version_of_an_unavailable_registry_is_tried_at_once():
    loader = Loader(UnavailableError("S3 is out of reach"))
    cache, _, _ = make_cache(loader, 1)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="out of reach"):
            cache.get(*MODEL, name(0))
    assert loader.loads == 2


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(version_cache, "MAX_FAULTS", 3)
    loader = Loader(CorruptError("damaged"))
    cache, _, clock = make_cache(loader, 20)
    for number in range(20):
        with pytest.raises(CorruptError):
            cache.get(*MODEL, name(number))
    assert list(cache._faults) == [(*MODEL, name(number)) for number in (17, 18, 19)]
    loader.error = None
    clock.seconds += FAULT_TTL_S
    for number in range(20):
        cache.get(*MODEL, name(number))
    assert list(cache._versions) == [(*MODEL, name(number)) for number in range(20 - MAX_VERSIONS, 20)]


def test_requests_for_the_same_version_share_one_load():
    loader = Loader()
    loader.may_end.clear()
    cache, registry, _ = make_cache(loader, 1)
    with ThreadPoolExecutor(5) as pool:
        loading = [pool.submit(cache.get, *MODEL, name(0)) for _ in range(5)]
        loader.may_end.set()
        assert {future.result(30) for future in loading} == {f"loaded {name(0)}"}
    assert (loader.loads, registry.lists) == (1, 1)


def test_few_versions_are_loaded_at_once_few_requests_wait_and_the_others_are_refused():
    loader, refused = Loader(), 3
    count = MAX_CONCURRENT_LOADS + MAX_WAITING_LOADS + refused
    cache, _, _ = make_cache(loader, count)
    cache.names(*MODEL)
    loader.may_end.clear()
    with ThreadPoolExecutor(count) as pool:
        loading = [pool.submit(cache.get, *MODEL, name(number)) for number in range(count)]
        while sum(future.done() for future in loading) < refused:
            pass
        errors = [future.exception() for future in loading if future.done()]
        loader.may_end.set()
        results = [future.result(30) for future in loading if future.exception(30) is None]
    assert all(isinstance(error, UnavailableError) and error.code == "busy" for error in errors)
    assert (len(errors), len(results)) == (refused, count - refused)
    assert loader.most == MAX_CONCURRENT_LOADS


def test_request_waits_only_so_long_for_its_turn(monkeypatch):
    monkeypatch.setattr(load_gate, "LOAD_WAIT_TIMEOUT_S", 0.05)
    loader = Loader()
    cache, _, _ = make_cache(loader, 1)
    cache.names(*MODEL)
    loader.may_end.clear()
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(cache.get, *MODEL, name(0))
        while not loader.running:
            pass
        with pytest.raises(UnavailableError, match="Ask again in a few seconds"):
            cache.get(*MODEL, name(0))
        loader.may_end.set()
        assert loading.result(30) == f"loaded {name(0)}"
