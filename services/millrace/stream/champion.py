"""The champion that scores: taken up between two micro-batches, frozen within one."""

import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from millrace.errors import CorruptError, NotFoundError
from millrace.pages.model import PageClusters
from millrace.registry.champion_watcher import ChampionWatcher
from millrace.registry.manifest import Manifest
from millrace.registry.registry import Registry
from millrace.workloads.base import PageModel, Workload

if TYPE_CHECKING:  # who waits for the first champion does so without Spark
    from pyspark import Broadcast, SparkContext

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoringModel:
    """A version as batches use it."""

    manifest: Manifest
    arrays: dict[str, np.ndarray]
    model: PageClusters
    broadcasts: "dict[int, Broadcast[dict[str, np.ndarray]]]" = field(default_factory=dict)

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def labels(self) -> list[str]:
        return self.manifest.names["label"]

    def broadcast(self, context: "SparkContext") -> "Broadcast[dict[str, np.ndarray]]":
        """The arrays in Spark's workers, sent once for a session."""
        if id(context) not in self.broadcasts:
            self.broadcasts.clear()
            self.broadcasts[id(context)] = context.broadcast(self.arrays)
        return self.broadcasts[id(context)]


class ChampionFollower:
    """Looks for a new champion of a page model. A version that can't be loaded is said once and left alone."""

    def __init__(self, workload: Workload, declared: PageModel):
        self.workload, self.declared = workload, declared
        self.current: ScoringModel | None = None
        self.refused = 0
        self._labels: dict[str, list[str]] = {}

    @cached_property
    def registry(self) -> Registry:
        return Registry()

    @cached_property
    def _watcher(self) -> ChampionWatcher:
        return ChampionWatcher(self.registry, self.workload.name, self.declared.name)

    def check(self) -> bool:
        """Take up a new champion; whether there was one. Raises UnavailableError when the registry is out of reach."""
        champion = self._watcher.poll()
        if champion is None:
            return False
        if self.current and champion.version == self.current.version:
            self._watcher.accept(champion)
            return False
        try:
            manifest, arrays = self.registry.load(self.workload.name, self.declared.name, champion.version)
            model = PageClusters.load(arrays)
            if model.k > len(self.workload.cluster_topics):
                raise CorruptError(
                    f"it has {model.k} clusters, and there are {len(self.workload.cluster_topics)} topics"
                )
        except (CorruptError, NotFoundError) as error:
            self._watcher.refuse(champion, str(error))
            self.refused += 1
            kept = self.current.version if self.current else "nothing"
            log.warning("the champion %s can't be used (%s); %s goes on scoring", champion.version, error, kept)
            return False
        self._watcher.accept(champion)
        self.current = ScoringModel(manifest, arrays, model)
        return True

    def labels_of(self, version: str) -> list[str]:
        """The names of a version's clusters; none where the version is gone."""
        if self.current and version == self.current.version:
            return self.current.labels
        if version not in self._labels:
            try:
                manifest = self.registry.manifest(self.workload.name, self.declared.name, version)
                self._labels[version] = manifest.names.get("label", [])
            except (NotFoundError, CorruptError):
                self._labels[version] = []
        return self._labels[version]
