"""Publishing, loading, promoting and rolling back versions.

    models/<workload>/<model>/<version>/manifest.json     written last: a version without one does not exist
    models/<workload>/<model>/<version>/<array>.npy
    models/<workload>/<model>/champion.json               the only object that ever changes, by conditional PUT
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from millrace.errors import Conflict, Corrupt, NotFound
from millrace.registry import arrays as packing
from millrace.registry.manifest import Draft, Manifest, parse
from millrace.registry.store import ObjectStore
from millrace.scoring.kmeans import KMeans
from millrace.settings import settings

HISTORY = 100  # earlier champions remembered for rollback


@dataclass(frozen=True)
class Champion:
    """What is served: `previous` is what `rollback` goes back to; `etag` guards the next move."""

    version: str
    promoted_at: str
    history: list[str]
    etag: str

    @property
    def previous(self) -> str | None:
        return self.history[-1] if self.history else None


class Registry:
    def __init__(self, store: ObjectStore | None = None):
        self.store = store or ObjectStore(settings().models_bucket)

    def publish(self, draft: Draft, arrays: dict[str, np.ndarray]) -> Manifest:
        """Write a new version, manifest last, and return it. It is not served until it is promoted."""
        packed = {name: packing.pack(name, array) for name, array in arrays.items()}
        specs = {name: spec for name, (spec, _) in packed.items()}
        content = draft.model_dump_json() + "".join(spec.sha256 for spec in specs.values())
        now = datetime.now(UTC)
        version = f"{now:%Y%m%dT%H%M%SZ}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
        manifest = Manifest(**draft.model_dump(), version=version, created_at=now, arrays=specs)
        check_model(manifest, arrays)
        folder = self._folder(draft.workload, draft.model, version)
        for spec, body in packed.values():
            self.store.put_if_absent(f"{folder}/{spec.file}", body)
        self.store.put_if_absent(f"{folder}/manifest.json", manifest.model_dump_json(indent=1).encode())
        return manifest

    def manifest(self, workload: str, model: str, version: str) -> Manifest:
        """Raises NotFound for an unknown version, Corrupt for one whose manifest can't be trusted."""
        key = f"{self._folder(workload, model, version)}/manifest.json"
        try:
            content, _ = self.store.get(key)
        except NotFound:
            raise NotFound(
                f"There is no version {version!r} of {workload}/{model}; `millrace models list {workload}` shows them.",
                field="version",
            ) from None
        found = parse(content, key)
        if (found.workload, found.model, found.version) != (workload, model, version):
            raise Corrupt(f"{key} describes {found.full_name} {found.version}; it was moved here.", field="version")
        return found

    def load(self, workload: str, model: str, version: str) -> tuple[Manifest, dict[str, np.ndarray]]:
        """The manifest and the arrays, each checked. Raises NotFound or Corrupt with a sentence."""
        manifest = self.manifest(workload, model, version)
        folder = self._folder(workload, model, version)
        arrays = {}
        for name, spec in manifest.arrays.items():
            key = f"{folder}/{spec.file}"
            try:
                content, _ = self.store.get(key)
            except NotFound:
                raise Corrupt(f"{key} is named by its manifest and does not exist.", field=spec.file) from None
            arrays[name] = packing.unpack(spec, content, key)
        check_model(manifest, arrays)
        return manifest, arrays

    def models(self, workload: str) -> list[str]:
        return self.store.names(f"models/{workload}/")

    def versions(self, workload: str, model: str) -> list[str]:
        """All versions, oldest first: their names sort by time."""
        return self.store.names(f"models/{workload}/{model}/")

    def champion(self, workload: str, model: str) -> Champion | None:
        try:
            content, etag = self.store.get(self._champion_key(workload, model))
        except NotFound:
            return None
        return read_champion(content, etag)

    def promote(self, workload: str, model: str, version: str, expected: Champion | None = None) -> Champion:
        """Make a version the champion, after it was loaded and checked.

        `expected` is the champion that the decision was based on; by default the one there is now. Raises Conflict
        when another promotion came first: the loser changes nothing.
        """
        self.load(workload, model, version)
        before = expected or self.champion(workload, model)
        if before and before.version == version:
            return before
        history = [*before.history, before.version][-HISTORY:] if before else []
        return self._move(workload, model, version, history, before)

    def rollback(self, workload: str, model: str) -> Champion:
        """Serve the previous champion again. Raises Conflict when there is none."""
        before = self.champion(workload, model)
        if before is None or before.previous is None:
            raise Conflict(f"{workload}/{model} has no earlier champion to go back to.")
        self.load(workload, model, before.previous)
        return self._move(workload, model, before.previous, before.history[:-1], before)

    def _move(self, workload: str, model: str, version: str, history: list[str], before: Champion | None) -> Champion:
        key = self._champion_key(workload, model)
        now = datetime.now(UTC).isoformat()
        content = orjson.dumps({"version": version, "promoted_at": now, "history": history})
        try:
            etag = (
                self.store.put_if_match(key, content, before.etag)
                if before
                else self.store.put_if_absent(key, content)
            )
        except Conflict:
            raise Conflict(
                f"{workload}/{model} got another champion while {version} was being promoted; nothing was changed. "
                "Look at `millrace models list` and decide again.",
            ) from None
        return Champion(version, now, history, etag)

    def trace(self, workload: str, model: str, version: str) -> dict[str, Any]:
        """From a version back to its data: snapshot, offset ranges, code version, parameters, metrics."""
        found = self.manifest(workload, model, version)
        kept = ("workload", "model", "version", "created_at", "code_version", "schema_hash", "parameters", "metrics")
        dumped = found.model_dump(mode="json")
        return {name: dumped[name] for name in kept} | {"data": dumped["data"]}

    @staticmethod
    def _folder(workload: str, model: str, version: str) -> str:
        return f"models/{workload}/{model}/{version}"

    @staticmethod
    def _champion_key(workload: str, model: str) -> str:
        return f"models/{workload}/{model}/champion.json"


def read_champion(content: bytes, etag: str) -> Champion:
    """Raises Corrupt when the file is not a champion."""
    try:
        body = orjson.loads(content)
        return Champion(body["version"], body["promoted_at"], list(body["history"]), etag)
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Corrupt(f"champion.json can't be read: {error!r}.", field="champion.json") from None


def check_model(manifest: Manifest, arrays: dict[str, np.ndarray]) -> None:
    """Whether names, features and arrays fit together. Raises Corrupt with both sizes."""
    if manifest.algorithm != "kmeans":
        raise Corrupt(f"Algorithm {manifest.algorithm!r} is not known; allowed: kmeans.", field="algorithm")
    if lacking := {"mean", "scale", "centres"} - set(arrays):
        raise Corrupt(f"{manifest.full_name} lacks the arrays {sorted(lacking)}.", field="arrays")
    width, (k, columns) = len(manifest.features), arrays["centres"].shape
    if not (columns == width == len(arrays["mean"]) == len(arrays["scale"])):
        raise Corrupt(f"{manifest.full_name}: {width} features, but centres of {columns} columns.", field="centres")
    for column, names in manifest.names.items():
        if len(names) != k:
            raise Corrupt(f"{manifest.full_name}: {k} centres, but {len(names)} names in {column}.", field="names")


def scorer(arrays: dict[str, np.ndarray]) -> KMeans:
    return KMeans(arrays["mean"], arrays["scale"], arrays["centres"])
