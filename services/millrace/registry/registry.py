"""Publishing, loading, promoting, pinning and rolling back versions.

models/<workload>/<model>/<version>/manifest.json     written last: a version without one does not exist
models/<workload>/<model>/<version>/<array>.npy       n texts are two: <name>_offsets (n + 1,), <name>_bytes, UTF-8
models/<workload>/<model>/champion.json               the only object that ever changes (see moves)
"""

import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from millrace.errors import ConflictError, CorruptError, NotFoundError
from millrace.registry import arrays as packing
from millrace.registry.budget import check_budget
from millrace.registry.champion import Champion, explain_pin
from millrace.registry.champion import parse_champion as read_champion
from millrace.registry.checks import MAPPED_ALGORITHMS, check_model, load_kmeans
from millrace.registry.fixed_width_texts import select_arrays, split_fixed_width
from millrace.registry.manifest import Manifest, ManifestDraft, parse_manifest
from millrace.registry.promotion import champion_key, lost_race, make_pin, move_champion
from millrace.registry.store import ObjectStore
from millrace.rights import MODELS
from millrace.settings import settings

__all__ = ["NO_CHAMPION", "Champion", "Registry", "champion_key", "load_kmeans", "read_champion", "version_prefix"]

NO_CHAMPION = "none"
"""As `expected_etag`: promote only if the model has no champion yet."""


def version_prefix(workload: str, model: str, version: str) -> str:
    """The prefix of a version's files."""
    return f"{MODELS}{workload}/{model}/{version}"


class Registry:
    """The registry in `store`; by default the bucket of the settings. Every method may raise UnavailableError."""

    def __init__(self, store: ObjectStore | None = None):
        self.store = store or ObjectStore(settings().models_bucket)

    def publish(self, draft: ManifestDraft, arrays: dict[str, np.ndarray]) -> Manifest:
        """Write a new version, manifest last, and return it. It is not served until it is promoted.

        Raises CorruptError, before anything is written, when arrays, names and features don't fit together, or the
        arrays take more than `version_budget` bytes.
        """
        specs = {name: packing.describe_array(name, array) for name, array in arrays.items()}
        content = draft.model_dump_json() + "".join(spec.sha256 for spec in specs.values())
        now = datetime.now(UTC)
        version = f"{now:%Y%m%dT%H%M%SZ}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
        manifest = Manifest(**draft.model_dump(), version=version, created_at=now, arrays=specs)
        target = version_prefix(draft.workload, draft.model, version)
        check_budget(specs, f"{manifest.full_name} {version}")
        check_model(manifest, arrays, target)
        for name, spec in specs.items():
            with TemporaryFile() as file:
                packing.save_array(file, arrays[name])
                self.store.put_if_absent(f"{target}/{spec.file}", file)
        self.store.put_if_absent(f"{target}/manifest.json", manifest.model_dump_json(indent=1).encode())
        return manifest

    def manifest(self, workload: str, model: str, version: str) -> Manifest:
        """Raises NotFoundError for an unknown version, CorruptError for one whose manifest can't be trusted."""
        key = f"{version_prefix(workload, model, version)}/manifest.json"
        try:
            content, _ = self.store.get(key)
        except NotFoundError:
            raise NotFoundError(
                f"There is no version {version!r} of {workload}/{model}; see `millrace models list {workload}`.",
                field="version",
            ) from None
        manifest = parse_manifest(content, key)
        if (manifest.workload, manifest.model, manifest.version) != (workload, model, version):
            raise CorruptError(
                f"{key} describes {manifest.full_name} {manifest.version}; it was moved here.", field="version"
            )
        return manifest

    def load(
        self,
        workload: str,
        model: str,
        version: str,
        mapped: Path | None = None,
        without: Collection[str] = (),
    ) -> tuple[Manifest, dict[str, np.ndarray]]:
        """The manifest and the arrays but those of `without`, each checked.

        Raises NotFoundError or CorruptError with a sentence; CorruptError, before any array is read, where they take
        more than `version_budget` bytes.

        Where `mapped` is given, a recommender's arrays are kept in files below it and mapped from there, so
        that processes share one copy and only what is read takes memory.
        """
        manifest = self.manifest(workload, model, version)
        path = version_prefix(workload, model, version)
        names = [name for name in manifest.arrays if name not in without]
        folder = mapped / path if mapped and manifest.algorithm in MAPPED_ALGORITHMS else None
        arrays = self._load_arrays(manifest, names, folder)
        check_model(manifest, arrays, f"{path}/manifest.json")
        return manifest, arrays

    def load_some(
        self, workload: str, model: str, version: str, names: Collection[str], mapped: Path | None = None
    ) -> tuple[Manifest, dict[str, np.ndarray]]:
        """The manifest and those of the named arrays that the version has, each by its checksum. Raises as `load`.

        Where `mapped` is given, the arrays are mapped from files in that folder.
        """
        manifest = self.manifest(workload, model, version)
        return manifest, self._load_arrays(manifest, select_arrays(manifest.arrays, names), mapped)

    def _load_arrays(
        self, manifest: Manifest, names: Sequence[str], folder: Path | None = None
    ) -> dict[str, np.ndarray]:
        """The named arrays, mapped from files in `folder` where one is given; texts in today's form."""
        check_budget({name: manifest.arrays[name] for name in names}, f"{manifest.full_name} {manifest.version}")
        return split_fixed_width({name: self._load_array(manifest, name, folder) for name in names})

    def _load_array(self, manifest: Manifest, name: str, folder: Path | None) -> np.ndarray:
        spec = manifest.arrays[name]
        if folder and (folder / spec.file).is_file():
            return np.load(folder / spec.file, mmap_mode="r", allow_pickle=False)
        key = f"{version_prefix(manifest.workload, manifest.model, manifest.version)}/{spec.file}"
        chunks = self.store.read_chunks(key)
        try:
            if folder:
                return packing.map_array(spec, chunks, key, folder / spec.file)
            return packing.read_array(spec, chunks, key)
        except NotFoundError:
            raise CorruptError(f"{key} is named by its manifest and does not exist.", field=spec.file) from None

    def models(self, workload: str) -> list[str]:
        """The models of a workload that have ever been published."""
        return self.store.names(f"{MODELS}{workload}/")

    def versions(self, workload: str, model: str) -> list[str]:
        """All versions, oldest first: their names sort by time. One that was never finished is among them."""
        return self.store.names(f"{MODELS}{workload}/{model}/")

    def manifests(self, workload: str, model: str) -> list[Manifest]:
        """The manifests of all versions that are whole, oldest first."""
        manifests = []
        for version in self.versions(workload, model):
            try:
                manifests.append(self.manifest(workload, model, version))
            except (NotFoundError, CorruptError):
                continue
        return manifests

    def champion(self, workload: str, model: str) -> Champion | None:
        key = champion_key(workload, model)
        try:
            content, etag = self.store.get(key)
        except NotFoundError:
            return None
        return read_champion(content, etag, key)

    def require_champion(self, workload: str, model: str) -> Champion:
        """Raises NotFoundError where there is no champion."""
        champion = self.champion(workload, model)
        if champion is None:
            raise NotFoundError(f"{workload}/{model} has no champion yet; `millrace train {workload}` trains one.")
        return champion

    def champion_if_changed(self, workload: str, model: str, etag: str | None) -> Champion | None:
        """None when the champion still has that ETag. Raises NotFoundError when there is no champion."""
        key = champion_key(workload, model)
        changed = self.store.get_if_changed(key, etag)
        return read_champion(*changed, key) if changed else None

    def promote(
        self,
        workload: str,
        model: str,
        version: str,
        expected: Champion | None = None,
        *,
        expected_etag: str | None = None,
        lift_pin: bool = False,
    ) -> Champion:
        """Make a version the champion, after it was loaded and checked.

        `expected`, or its `expected_etag`, is the champion on which the decision was based (NO_CHAMPION:
        there was none); left out, it is the one there is now. Raises ConflictError when another promotion came
        first, or, with the code `pinned`, when another version is pinned and `lift_pin` is not set: the loser changes
        nothing. A version that is the champion already stays it, history and all.
        """
        self.load(workload, model, version)
        before = self.champion(workload, model)
        is_served = before is not None and before.version == version
        if before and before.pin and not lift_pin and not is_served:
            raise ConflictError(explain_pin(f"{workload}/{model}", before.version, before.pin), code="pinned")
        actual = before.etag if before else NO_CHAMPION
        if (expected.etag if expected else expected_etag) not in (None, actual):
            raise lost_race(workload, model, version)
        if before and is_served:
            return self.unpin(workload, model, before) if lift_pin else before
        return move_champion(self.store, workload, model, version, before.next_history() if before else [], before)

    def pin(self, workload: str, model: str, version: str | None = None) -> Champion:
        """Hold the champion, or make `version` the champion and hold it, in one write.

        Raises NotFoundError for an unknown version and where there is no champion, ConflictError when somebody else
        moves the champion. What is pinned already stays so, since when it was.
        """
        before = self.champion(workload, model) if version else self.require_champion(workload, model)
        if before and version in (None, before.version):
            if before.pin:
                return before
            version, history = before.version, before.history
        else:
            assert version is not None
            self.load(workload, model, version)
            history = before.next_history() if before else []
        return move_champion(self.store, workload, model, version, history, before, make_pin("pin"))

    def unpin(self, workload: str, model: str, expected: Champion | None = None) -> Champion:
        """Let trainings promote again; the champion (`expected`: the one there is now) stays until one does.

        Raises NotFoundError where there is no champion, ConflictError when somebody else moves it.
        """
        before = expected or self.require_champion(workload, model)
        if before.pin is None:
            return before
        return move_champion(self.store, workload, model, before.version, before.history, before)

    def rollback(self, workload: str, model: str) -> Champion:
        """Serve the previous champion again, pinned: trainings promote nothing until the pin is lifted.

        Raises ConflictError when there is no previous one, or when somebody else moves the champion.
        """
        before = self.champion(workload, model)
        if before is None or before.previous is None:
            raise ConflictError(
                f"{workload}/{model} has no earlier champion to go back to; "
                "`millrace models promote` takes any version."
            )
        self.load(workload, model, before.previous)
        history, pin = before.history[:-1], make_pin("rollback")
        return move_champion(self.store, workload, model, before.previous, history, before, pin)

    def trace(self, workload: str, model: str, version: str) -> dict[str, Any]:
        """From a version back to its data: snapshot, offset ranges, code version, parameters, metrics."""
        manifest = self.manifest(workload, model, version)
        kept = {"workload", "model", "version", "created_at", "code_version", "schema_hash"}
        return manifest.model_dump(mode="json", include=kept | {"parameters", "metrics", "data"})
