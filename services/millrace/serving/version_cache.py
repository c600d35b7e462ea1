"""Versions beside the champions that stay in memory for the V2 protocol: few, and no more bytes than one may take."""

import threading
from collections import OrderedDict

from millrace.serving.kinds.base import LoadedModel
from millrace.settings import settings

MAX_OTHER_VERSIONS = 8  # versions at the most, the one used last among them
VersionKey = tuple[str, str, str]
"""(workload, model, version)."""


class VersionCache:
    """Loaded versions; the one that was not asked for longest goes first. Threads may share it."""

    def __init__(self) -> None:
        self._versions: OrderedDict[VersionKey, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: VersionKey) -> LoadedModel | None:
        """The version, if it is held."""
        with self._lock:
            if key in self._versions:
                self._versions.move_to_end(key)
            return self._versions.get(key)

    def add(self, key: VersionKey, loaded: LoadedModel) -> None:
        """Hold a version, and let others go for it: over the number, or over `version_budget` bytes together."""
        with self._lock:
            self._versions[key] = loaded
            while len(self._versions) > MAX_OTHER_VERSIONS or (len(self._versions) > 1 and self._exceeds_budget()):
                self._versions.popitem(last=False)

    def _exceeds_budget(self) -> bool:
        arrays = (array for version in self._versions.values() for array in version.arrays.values())
        return sum(array.nbytes for array in arrays) > settings().version_budget
