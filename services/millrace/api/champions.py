"""The champions of all models, kept up to date without a request noticing."""

import logging
import threading
import time
from collections import OrderedDict

from millrace.api.metrics import metrics
from millrace.api.served import Served
from millrace.errors import MillraceError, NotFound, Unavailable
from millrace.registry.registry import Registry, read_champion
from millrace.settings import settings
from millrace.workloads import workloads

log = logging.getLogger("millrace.api")
OTHER_VERSIONS = 8  # versions other than the champion that stay in memory for the V2 protocol


class Champions:
    """Looks for new champions every `api_poll_interval` seconds in a thread of its own."""

    def __init__(self, registry: Registry | None = None):
        self._registry = registry or Registry()
        self._etags: dict[tuple[str, str], str] = {}
        self._served: dict[tuple[str, str], Served] = {}
        self._others: OrderedDict[tuple[str, str, str], Served] = OrderedDict()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.polled_at: float | None = None
        self.faults: dict[str, str] = {}
        """Model -> why its newest champion is not served, or why S3 could not be asked."""

    def start(self) -> None:
        threading.Thread(target=self._run, name="champions", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.poll()
            except Exception:  # a fault of one poll must not end all later ones
                log.exception("looking for champions failed")
            self._stop.wait(settings().api_poll_interval)

    def poll(self) -> None:
        """Load what has changed. A model that can't be loaded is named in `faults`; the old one goes on serving."""
        reached = True
        for workload in workloads().values():
            for model in workload.models:
                name = f"{workload.name}/{model.name}"
                try:
                    self._refresh(workload.name, model.name)
                    self.faults.pop(name, None)
                except Unavailable as error:
                    reached = False
                    self.faults[name] = error.message
                    metrics().poll_failures.inc()
                except MillraceError as error:
                    if self.faults.get(name) != error.message:
                        log.error("%s keeps its version: %s", name, error.message)
                        metrics().refused.labels(name).inc()
                    self.faults[name] = error.message
        if reached:
            self.polled_at = time.time()
            metrics().polled_at.set(self.polled_at)

    def _refresh(self, workload: str, model: str) -> None:
        key = (workload, model)
        try:
            found = self._registry.store.get_if_changed(
                f"models/{workload}/{model}/champion.json", self._etags.get(key)
            )
        except NotFound:
            return
        if found is None:
            return
        champion = read_champion(*found)
        manifest, arrays = self._registry.load(workload, model, champion.version)
        # The new one is whole in memory before the old one is let go: no request ever finds neither.
        before = self._served.get(key)
        self._served[key] = Served(manifest, arrays)
        self._etags[key] = champion.etag
        metrics().swapped(f"{workload}/{model}", before.manifest.version if before else None, champion.version)
        log.info("%s/%s serves %s", workload, model, champion.version)

    def all(self) -> dict[tuple[str, str], Served]:
        return dict(self._served)

    def get(self, workload: str, model: str) -> Served:
        """The champion. Raises Unavailable that says how to get one."""
        try:
            return self._served[(workload, model)]
        except KeyError:
            raise Unavailable(
                f"{workload}/{model} has no champion yet; `millrace train {workload}` trains one.",
                code="no_champion",
                field="model",
            ) from None

    def version(self, workload: str, model: str, version: str) -> Served:
        """Any published version; the champion from memory, others through a small cache. Raises NotFound."""
        champion = self._served.get((workload, model))
        if champion and champion.manifest.version == version:
            return champion
        key = (workload, model, version)
        with self._lock:
            if key in self._others:
                self._others.move_to_end(key)
                return self._others[key]
        loaded = Served(*self._registry.load(*key))
        with self._lock:
            self._others[key] = loaded
            while len(self._others) > OTHER_VERSIONS:
                self._others.popitem(last=False)
        return loaded

    def versions(self, workload: str, model: str) -> list[str]:
        return self._registry.versions(workload, model)
