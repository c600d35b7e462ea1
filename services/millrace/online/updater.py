"""The updater: for every recommender the champion is followed; a new one is caught up before the old one is let go."""

import logging
import threading
import time
from contextlib import closing

import orjson

from millrace.errors import CorruptError, MillraceError, NotFoundError
from millrace.messaging.producer import make_producer
from millrace.messaging.reader import read_all
from millrace.online import deltas
from millrace.online.metrics import metrics
from millrace.online.scratch import ScratchFolder
from millrace.online.version_base import NEEDED_ARRAYS, VersionBase
from millrace.online.version_follower import Offsets, VersionFollower
from millrace.registry.champion_watcher import ChampionWatcher
from millrace.registry.registry import Registry
from millrace.runtime.retry import RepeatFilter
from millrace.settings import settings
from millrace.workloads import load_workloads
from millrace.workloads.base import RecommenderModel, Workload

log = logging.getLogger("millrace.online")
HANDOVER_S = 30.0  # seconds that the old version is followed after the new one has caught up: replicas move one by one


class ModelFollower:
    """One recommender: its champion, the version that is followed for it, and the one before for a while."""

    def __init__(self, registry: Registry, workload: Workload, model: RecommenderModel, scratch: ScratchFolder):
        self._registry, self.workload, self.model, self._scratch = registry, workload, model, scratch
        self._watcher = ChampionWatcher(registry, workload.name, model.name)
        self.now: VersionFollower | None = None
        self.before: VersionFollower | None = None
        self._caught_up: float | None = None
        self._faults = RepeatFilter()

    def check(self) -> None:
        """Take up a new champion; let the old one go in time.

        A fault is logged once. What is unavailable is asked for again; a champion that can't be used is left alone
        until champion.json changes.
        """
        try:
            self._check()
            self._faults.reset()
        except MillraceError as error:
            if self._faults.passes(error.message):
                log.error("%s stays as it is: %s", self.workload.name, error.message)

    def _check(self) -> None:
        name = self.workload.name
        champion = self._watcher.poll()
        if champion is None and self.now is not None and not self.now.is_alive():
            log.error("%s: the follower of %s has ended; a new one starts", name, self.now.fold.base.version)
            self.now = None
        if champion is None and self.now is None and self._watcher.refused is None:
            champion = self._watcher.champion  # also where the last attempt met a dependency that was unavailable
        if champion is not None:
            if self.now is None or self.now.fold.base.version != champion.version:
                try:
                    self._take_up(champion.version)
                except (CorruptError, NotFoundError) as error:
                    self._watcher.refuse(champion, error.message)
                    log.error("%s: the champion %s can't be used (%s)", name, champion.version, error.message)
                    return
            self._watcher.accept(champion)
        self._let_go()

    def _take_up(self, version: str) -> None:
        if self.before is not None and self.before.fold.base.version == version and self.before.is_alive():
            # A rollback while the old version is still followed: it has everything.
            self.now, self.before, self._caught_up = self.before, self.now, None
            return
        name, model = self.workload.name, self.model.name
        with self._scratch.hold_files() as folder:
            manifest, arrays = self._registry.load_some(name, model, version, NEEDED_ARRAYS, folder)
        base = VersionBase.from_version(self.workload, self.model, manifest, arrays)
        after = {int(part): last + 1 for part, (_, last) in manifest.data.offsets.items()}
        followed = VersionFollower(base, after, read_watermark(self.workload, version), scratch=self._scratch)
        if self.before is not None:
            self.before.ended.set()
        self.now, self.before, self._caught_up = followed, self.now, None
        followed.start()
        log.info("%s follows %s from %s", name, version, after)

    def _let_go(self) -> None:
        """The old version ends when the new one has long caught up; what was published of older ones is taken back."""
        champion = self._watcher.champion
        if self.now is None or champion is None:
            return
        if self._caught_up is None:
            if self.before is None or self.now.covers(self.before):
                self._caught_up = time.monotonic()
        elif self._caught_up and time.monotonic() - self._caught_up > HANDOVER_S:
            if self.before is not None:
                self.before.ended.set()
                self.before = None
            delete_versions(self.workload, {champion.version, champion.previous or ""})
            self._caught_up = 0.0

    def end(self) -> None:
        living = [follower for follower in (self.now, self.before) if follower is not None]
        for follower in living:
            follower.ended.set()
        for follower in living:
            follower.join(10)


def read_watermark(workload: Workload, version: str) -> Offsets:
    """How far a version was published by an earlier process; empty where it was not, or in another format."""
    key, watermark = f"{version}/watermark".encode(), None
    for message in read_all(workload.deltas_topic):
        if message.key == key:
            watermark = orjson.loads(message.value) if message.value else None
    if watermark is None or watermark.get("format") != deltas.DELTA_FORMAT:
        return {}
    return {int(part): offset for part, offset in watermark["offsets"].items()}


def delete_versions(workload: Workload, kept: set[str]) -> None:
    """Tombstones for every key of other versions, a version's watermark last."""
    living: dict[bytes, bool] = {}
    for message in read_all(workload.deltas_topic):
        if message.key is not None:
            living[message.key] = message.value is not None
    gone = [key for key, there in living.items() if there and deltas.split_key(key.decode())[0] not in kept]
    if not gone:
        return
    with closing(make_producer()) as client:
        for key in sorted(gone, key=lambda key: key.endswith(b"/watermark")):
            client.send(workload.deltas_topic, key, None)
        client.flush()
    log.info("%s: %d keys of versions that are no longer served were taken back", workload.name, len(gone))


def run_updater(stop: threading.Event) -> None:
    """Follow until `stop` is set. State is in Kafka and the registry alone: a killed process just starts again.

    What is on disk is scratch, which ends with the process.
    """
    with ScratchFolder(settings().home, settings().online_scratch_budget) as scratch:
        follow_models(stop, scratch)


def follow_models(stop: threading.Event, scratch: ScratchFolder) -> None:
    """Follow every recommender until `stop` is set."""
    registry = Registry()
    roles = [
        ModelFollower(registry, workload, model, scratch)
        for workload in load_workloads().values()
        for model in workload.recommenders
    ]
    while not stop.is_set():
        for role in roles:
            role.check()
            if role.now is not None:
                metrics().since_snapshot.labels(role.workload.name).set(role.now.fold.accepted)
        metrics().scratch.set(scratch.count_bytes())
        stop.wait(settings().api_poll_interval)
    for role in roles:
        role.end()
