"""The champions of all models, kept up to date without a request noticing."""

import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from prometheus_client import Counter

from millrace.analytics import sales
from millrace.errors import CorruptError, MillraceError, NotFoundError, UnavailableError
from millrace.pages.model import ALGORITHM as PAGES
from millrace.records.numbers import show
from millrace.registry.champion import Champion
from millrace.registry.champion_watcher import ChampionWatcher
from millrace.registry.checks import KNOWN_ALGORITHMS, RECOMMENDER_ALGORITHMS, UPDATER_ARRAYS
from millrace.registry.registry import Registry, version_prefix
from millrace.serving.delta_follower import DeltaFollower
from millrace.serving.kinds.base import LoadedModel
from millrace.serving.kinds.clusters import LoadedClusters
from millrace.serving.kinds.page_clusters import LoadedPageClusters
from millrace.serving.kinds.recommender import LoadedRecommender
from millrace.serving.kinds.sales import LoadedSales
from millrace.serving.metrics import metrics
from millrace.serving.overlays import Overlays
from millrace.serving.version_cache import VersionCache
from millrace.settings import settings
from millrace.workloads import load_workloads

log = logging.getLogger("millrace.api")
VERSION_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}", re.ASCII)
CATCH_UP_TIMEOUT_S = 30.0  # seconds that a new champion has to take up the events which the old one answers with
Key = tuple[str, str]
"""(workload, model)."""
Kind = TypeVar("Kind", bound=LoadedModel)
KINDS: Mapping[str, type[LoadedModel]] = {sales.ALGORITHM: LoadedSales, PAGES: LoadedPageClusters} | dict.fromkeys(
    RECOMMENDER_ALGORITHMS, LoadedRecommender
)
"""By algorithm; all others are clusters."""


def require_kind(loaded: LoadedModel, kind: type[Kind]) -> Kind:
    """The model as the kind that its workload declares. Raises CorruptError for a version of another one."""
    if not isinstance(loaded, kind):
        manifest = loaded.manifest
        allowed = ", ".join(name for name in KNOWN_ALGORITHMS if issubclass(KINDS.get(name, LoadedClusters), kind))
        raise CorruptError(
            f"{manifest.full_name} {manifest.version}: algorithm {manifest.algorithm!r} is not of the kind that "
            f"{manifest.workload} declares; allowed: {allowed}. Train it again: `millrace train {manifest.workload}`.",
            field="algorithm",
            allowed=allowed,
        )
    return loaded


class ModelStore:
    """Looks for new champions every `api_poll_interval` seconds in a thread of its own."""

    def __init__(self, registry: Registry | None = None, live: DeltaFollower | None = None):
        self._registry = registry or Registry()
        self.live = live or DeltaFollower()
        """What is followed in Kafka: `live.store(workload)` for what arrived since the champions were trained."""
        self._served: dict[Key, LoadedModel] = {}
        self._watchers: dict[Key, ChampionWatcher] = {}
        self._others = VersionCache()
        self._stop = threading.Event()
        self.polled_at: float | None = None
        """When all champions were last asked for with success; None before the first time."""
        self.faults: dict[str, str] = {}
        """Model -> why its newest champion is not served, or why S3 could not be asked."""

    def start(self) -> None:
        threading.Thread(target=self._run, name="champions", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            models = sum(len(workload.models) for workload in load_workloads().values())
            # All at once after the start; then one after the other: signing and parsing hold up the answers.
            pause = settings().api_poll_interval / max(1, models) if self.polled_at else 0.0
            try:
                self.poll(pause)
            except Exception:
                log.exception("looking for champions failed")
            if not pause or self.faults:
                self._stop.wait(settings().api_poll_interval)

    def poll(self, pause: float = 0.0) -> None:
        """Load what has changed, with so many seconds before each model.

        A model that can't be loaded is named in `faults`; the old one goes on serving. A champion that was refused is
        loaded again only when champion.json has changed.
        """
        for key in [(workload.name, model.name) for workload in load_workloads().values() for model in workload.models]:
            if self._stop.wait(pause):
                return
            name = "/".join(key)
            try:
                self._refresh(key)
            except UnavailableError as error:
                # The others would only wait for the same server: until the next time.
                self._record_fault(name, error, metrics().poll_failures)
                return
            except MillraceError as error:
                self._record_fault(name, error, metrics().refused.labels(name))
            else:
                if name in self.faults:
                    self.faults = {other: text for other, text in self.faults.items() if other != name}
        self.polled_at = time.time()
        metrics().polled_at.set(self.polled_at)

    def _record_fault(self, name: str, error: MillraceError, counter: Counter) -> None:
        """A fault that lasts is logged and counted once."""
        if self.faults.get(name) != error.message:
            log.error("%s stays as it is: %s", name, error.message)
            counter.inc()
            self.faults = {**self.faults, name: error.message}

    def _refresh(self, key: Key) -> None:
        watcher = self._watchers.setdefault(key, ChampionWatcher(self._registry, *key))
        champion = watcher.poll()
        if champion is None:
            if watcher.refused:
                raise CorruptError(watcher.refused.reason)
            return
        before = self._served.get(key)
        if before and before.manifest.version == champion.version:
            watcher.accept(champion)
            return
        try:
            loaded = self._load(*key, champion.version)
        except (CorruptError, NotFoundError) as error:
            missing = "champion.json names a version that is not there. " if isinstance(error, NotFoundError) else ""
            watcher.refuse(champion, f"{missing}{error.message}")
            raise CorruptError(f"{missing}{error.message}") from None
        if isinstance(loaded, LoadedRecommender):
            self._await_events(*key, champion.version)
        # The new one is whole in memory before the old one is let go: no request ever finds neither.
        watcher.accept(champion)
        self._served = {**self._served, key: loaded}
        name = "/".join(key)
        if before and (arrays := settings().api_arrays):
            # What is mapped stays readable; another worker that still wants the files fetches them again.
            shutil.rmtree(arrays / version_prefix(*key, before.manifest.version), ignore_errors=True)
        metrics().record_swap(name, before.manifest.version if before else None, champion.version)
        log.info("%s serves %s", name, champion.version)

    def _await_events(self, workload: str, model: str, version: str) -> None:
        """Wait until the version has taken up the events that any other has.

        What was answered once is not forgotten, whether a champion is new or this process.
        """
        store, ends = self.live.store(workload, Overlays), time.monotonic() + CATCH_UP_TIMEOUT_S
        while not (caught_up := self.live.ready and store.leads(model, version)) and time.monotonic() < ends:
            if self._stop.wait(0.05):
                break
        if not caught_up:
            log.warning("%s %s is served without the latest events: is `millrace online` running?", workload, version)
        store.served[model] = version

    def _load(self, workload: str, model: str, version: str) -> LoadedModel:
        folder = settings().api_arrays
        manifest, arrays = self._registry.load(workload, model, version, mapped=folder, without=UPDATER_ARRAYS)
        if manifest.algorithm in RECOMMENDER_ALGORITHMS:
            return LoadedRecommender(manifest, arrays, self.live.store(workload, Overlays).get(model, version))
        return KINDS.get(manifest.algorithm, LoadedClusters)(manifest, arrays)

    def all(self) -> Mapping[Key, LoadedModel]:
        return self._served

    def champion(self, workload: str, model: str) -> Champion:
        """What champion.json said about the model that `get` returns."""
        champion = self._watchers[workload, model].champion
        assert champion is not None
        return champion

    def find(self, workload: str, model: str, kind: type[Kind]) -> Kind | None:
        """The champion in memory, if there is one. Raises CorruptError where it is not of the declared `kind`."""
        served = self._served.get((workload, model))
        return None if served is None else require_kind(served, kind)

    def get(self, workload: str, model: str, kind: type[Kind]) -> Kind:
        """The champion in memory. Raises UnavailableError that says how to get one, and as `find`."""
        served = self.find(workload, model, kind)
        if served is None:
            fault = self.faults.get(f"{workload}/{model}")
            raise UnavailableError(
                f"{workload}/{model} has no champion to answer from; "
                + (fault or f"train it: `millrace train {workload}`"),
                code="no_champion",
                field="model",
            )
        return served

    def find_version(self, workload: str, model: str, version: str, kind: type[Kind]) -> Kind | None:
        """A version that is in memory, the champion or another; None where S3 must be asked.

        Raises NotFoundError for what names no version, and as `version`.
        """
        return self._as_kind(lambda: self._find_loaded(workload, model, version), kind)

    def version(self, workload: str, model: str, version: str, kind: type[Kind]) -> Kind:
        """Any published version; other than the champion through a small cache.

        May read S3: not for the event loop, and bounded by its callers. What S3 does not have is asked for again, so
        that a version is found as soon as it is published. Raises NotFoundError, or UnavailableError for one that can't
        be trusted or is not of the declared `kind`.
        """
        loaded = self._as_kind(
            lambda: self._find_loaded(workload, model, version) or self._load_other(workload, model, version), kind
        )
        assert loaded is not None
        return loaded

    @staticmethod
    def _as_kind(find: Callable[[], LoadedModel | None], kind: type[Kind]) -> Kind | None:
        try:
            loaded = find()
            return None if loaded is None else require_kind(loaded, kind)
        except CorruptError as error:
            raise UnavailableError(error.message, code="corrupt", field="version") from None

    def _find_loaded(self, workload: str, model: str, version: str) -> LoadedModel | None:
        champion = self._served.get((workload, model))
        if champion and champion.manifest.version == version:
            return champion
        if not VERSION_NAME.fullmatch(version):
            allowed = "a version such as 20261121T040000Z-0123abcd"
            raise NotFoundError(
                f"version: {show(version)} is not one; allowed: {allowed}.", field="version", allowed=allowed
            )
        return self._others.get((workload, model, version))

    def _load_other(self, workload: str, model: str, version: str) -> LoadedModel:
        loaded = self._load(workload, model, version)
        self._others.add((workload, model, version), loaded)
        return loaded

    def versions(self, workload: str, model: str) -> list[str]:
        """All versions that were published. Reads S3: not for the event loop."""
        return self._registry.versions(workload, model)
