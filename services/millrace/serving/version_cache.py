"""Versions other than the champion: those in memory, the names of those that exist, and those that can't be loaded."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from millrace.errors import CorruptError, NotFoundError
from millrace.registry.manifest import unknown_version
from millrace.registry.registry import Registry
from millrace.serving.kinds.base import LoadedModel
from millrace.serving.load_gate import LoadGate

MAX_VERSIONS = 8  # that stay in memory for the V2 protocol
MAX_FAULTS = 256  # versions of which is remembered why they can't be loaded
FAULT_TTL_S = 2.0
NAMES_TTL_S = 1.0  # seconds after which a version that was published since is found
Key = tuple[str, str, str]
"""(workload, model, version)."""
Load = Callable[[str, str, str], LoadedModel]
Value = TypeVar("Value")


class VersionCache:
    """Asks the registry no more often than it has to, whatever is asked for.

    A name that doesn't exist costs nothing but the list of names, which is read at most once in `NAMES_TTL_S` for each
    model. A version that exists and can't be loaded is tried again after `FAULT_TTL_S`.
    """

    def __init__(self, registry: Registry, load: Load, clock: Callable[[], float] = time.monotonic):
        self._registry, self._load, self._clock = registry, load, clock
        self._gate, self._lock = LoadGate(), threading.Lock()
        self._versions: OrderedDict[Key, LoadedModel] = OrderedDict()
        self._faults: OrderedDict[Key, tuple[float, type[NotFoundError | CorruptError], str]] = OrderedDict()
        self._names: dict[tuple[str, str], tuple[float, list[str]]] = {}

    def get(self, workload: str, model: str, version: str) -> LoadedModel:
        """A version, from memory where it is there; reads S3 otherwise.

        Raises NotFoundError for an unknown version, CorruptError for one that can't be trusted, and UnavailableError
        when S3 is out of reach or too many others are being loaded.
        """
        key = (workload, model, version)
        if loaded := self._find(key):
            return loaded
        if version not in self.names(workload, model):
            raise unknown_version(workload, model, version)
        with self._gate.enter(key):
            if loaded := self._find(key):
                return loaded
            try:
                loaded = self._load(*key)
            except (NotFoundError, CorruptError) as error:
                with self._lock:
                    self._faults[key] = (self._clock() + FAULT_TTL_S, type(error), error.message)
                    drop_oldest(self._faults, MAX_FAULTS)
                raise
            with self._lock:
                self._versions[key] = loaded
                drop_oldest(self._versions, MAX_VERSIONS)
            return loaded

    def _find(self, key: Key) -> LoadedModel | None:
        """The version in memory; None where it is to be loaded. Raises what loading it raised a moment ago."""
        with self._lock:
            if loaded := self._versions.get(key):
                self._versions.move_to_end(key)
                return loaded
            if fault := self._faults.get(key):
                expires_at, error, message = fault
                if self._clock() < expires_at:
                    raise error(message, field="version")
                del self._faults[key]
        return None

    def names(self, workload: str, model: str) -> list[str]:
        """All versions that were published, oldest first, as of `NAMES_TTL_S` ago at most.

        Raises UnavailableError when S3 is out of reach or too many others are being loaded.
        """
        key = (workload, model)
        if (names := self._find_names(key)) is not None:
            return names
        with self._gate.enter(key):
            if (names := self._find_names(key)) is not None:
                return names
            # Asked for before it is read: what is published meanwhile may be missing from it.
            asked_at = self._clock()
            names = self._registry.versions(workload, model)
            self._names[key] = (asked_at + NAMES_TTL_S, names)
            return names

    def _find_names(self, key: tuple[str, str]) -> list[str] | None:
        expires_at, names = self._names.get(key, (0.0, []))
        return names if self._clock() < expires_at else None


def drop_oldest(entries: "OrderedDict[Key, Value]", limit: int) -> None:
    """Keep the `limit` newest entries."""
    while len(entries) > limit:
        entries.popitem(last=False)
