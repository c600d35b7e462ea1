"""The updater: for every recommender the champion is followed; a new one is caught up before the old one is let go."""

import logging
import threading
import time
from contextlib import closing

from millrace.errors import CorruptError, MillraceError, NotFoundError
from millrace.messaging.fence import Fence
from millrace.messaging.fenced_writer import FencedWriter, TopicLog
from millrace.messaging.producer import make_producer
from millrace.messaging.reader import read_all
from millrace.online import deltas
from millrace.online.log_lease import LogLease, Tenure
from millrace.online.metrics import metrics
from millrace.online.scratch import ScratchFolder
from millrace.online.state_publisher import ClaimHolder
from millrace.online.version_base import NEEDED_ARRAYS, VersionBase
from millrace.online.version_follower import VersionFollower
from millrace.registry.champion_watcher import ChampionWatcher
from millrace.registry.registry import Registry
from millrace.runtime.retry import RepeatFilter
from millrace.settings import settings
from millrace.workloads import load_workloads
from millrace.workloads.base import RecommenderModel, Workload

log = logging.getLogger("millrace.online")
END_TIMEOUT_S = 10.0  # seconds for a thread to end
HANDOVER_S = 30.0  # seconds that the old version is followed after the new one has caught up: replicas move one by one


class ModelFollower:
    """One recommender: its champion, the version that is followed for it, and the one before for a while.

    All of it waits while another updater publishes for the recommender.
    """

    def __init__(self, registry: Registry, workload: Workload, model: RecommenderModel, scratch: ScratchFolder):
        self._registry, self.workload, self.model, self._scratch = registry, workload, model, scratch
        self._watcher = ChampionWatcher(registry, workload.name, model.name)
        self.now: VersionFollower | None = None
        self.before: VersionFollower | None = None
        self._caught_up: float | None = None
        self._untidy = False
        self._faults = RepeatFilter()
        writer = FencedWriter(TopicLog(workload.deltas_topic), model.name)
        self.lease = LogLease(writer, f"{workload.name}/{model.name}", self.restate)
        self._tenure: Tenure | None = None

    def restate(self, keys: set[bytes]) -> None:
        """Publish keys again that messages of an earlier writer have overwritten. Called by the lease's thread."""
        left = keys
        for follower in (self.now, self.before):
            if follower is not None:
                left = follower.publisher.restate(left)
        # They may be of versions that were taken back: then they are once more.
        self._untidy = self._untidy or bool(left)

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
        tenure = self.lease.tenure
        if tenure is not self._tenure:
            self._end_followers()
            self._tenure = tenure
        if tenure is None:
            return
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
                    self._take_up(champion.version, tenure)
                except (CorruptError, NotFoundError) as error:
                    self._watcher.refuse(champion, error.message)
                    log.error("%s: the champion %s can't be used (%s)", name, champion.version, error.message)
                    return
            self._watcher.accept(champion)
        self._let_go(tenure)

    def _take_up(self, version: str, tenure: Tenure) -> None:
        if self.before is not None and self.before.fold.base.version == version and self.before.is_alive():
            # A rollback while the old version is still followed: it has everything.
            self.now, self.before, self._caught_up = self.before, self.now, None
            return
        name, model = self.workload.name, self.model.name
        with self._scratch.hold_files() as folder:
            manifest, arrays = self._registry.load_some(name, model, version, NEEDED_ARRAYS, folder)
        base = VersionBase.from_version(self.workload, self.model, manifest, arrays)
        after = {int(part): last + 1 for part, (_, last) in manifest.data.offsets.items()}
        followed = VersionFollower(base, after, tenure, scratch=self._scratch)
        if self.before is not None:
            self.before.ended.set()
            self.before.join(END_TIMEOUT_S)
            if self.before.is_alive():
                tenure.report_failed_send()  # what it still sends does not count, should its version be taken up again
        self.now, self.before, self._caught_up = followed, self.now, None
        followed.start()
        log.info("%s follows %s from %s", name, version, after)

    def _let_go(self, tenure: Tenure) -> None:
        """The old version ends when the new one has long caught up; what was published of older ones is taken back."""
        champion = self._watcher.champion
        if self.now is None or champion is None:
            return
        if self._caught_up is None:
            if self.now.publisher.settled and (self.before is None or self.now.covers(self.before)):
                self._caught_up, self._untidy = time.monotonic(), True
        elif self._untidy and time.monotonic() - self._caught_up > HANDOVER_S:
            if self.before is not None:
                self.before.ended.set()
                if self.before.is_alive():
                    return  # what it still sends comes first
                self.before = None
            if tenure.claim is not None:
                self._untidy = False
                delete_versions(self.workload, self.model, tenure, {champion.version, champion.previous or ""})

    def _end_followers(self) -> None:
        living = [follower for follower in (self.now, self.before) if follower is not None]
        for follower in living:
            follower.ended.set()
        for follower in living:
            follower.join(END_TIMEOUT_S)
        self.now = self.before = self._caught_up = None

    def end(self) -> None:
        """End what is followed, then give the recommender to the next updater."""
        self._end_followers()
        self.lease.ended.set()
        if self.lease.is_alive():
            self.lease.join(END_TIMEOUT_S)


def delete_versions(workload: Workload, model: RecommenderModel, holder: ClaimHolder, kept: set[str]) -> None:
    """Tombstones for every key of the model's other versions, a version's watermark last.

    Keys without a model are an earlier release's, which no reader of this one needs any more. Raises UnavailableError.
    """
    claim, fence, living = holder.claim, Fence(model.name), dict[bytes, bool]()
    for message in read_all(workload.deltas_topic):
        if message.key is not None and not fence.is_control(message.key):
            living[message.key] = message.value is not None
    gone = [key for key, there in living.items() if there and _is_gone(key, model, kept)]
    if not gone or claim is None:
        return
    try:
        with closing(make_producer()) as client:
            for key in sorted(gone, key=lambda key: key.endswith(b"/watermark")):
                client.send(workload.deltas_topic, key, None, claim.headers)
            client.flush()
    except BaseException:
        holder.report_failed_send()
        raise
    log.info("%s: %d keys of versions that are no longer served were taken back", workload.name, len(gone))


def _is_gone(key: bytes, model: RecommenderModel, kept: set[str]) -> bool:
    parts = deltas.split_key(key.decode("utf-8", "replace"))
    return parts.model == "" or (parts.model == model.name and parts.version not in kept)


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
    for role in roles:
        role.lease.start()
    while not stop.is_set():
        for role in roles:
            role.check()
            if role.now is not None:
                metrics().since_snapshot.labels(role.workload.name).set(role.now.fold.accepted)
        metrics().scratch.set(scratch.count_bytes())
        stop.wait(settings().api_poll_interval)
    for role in roles:
        role.end()
