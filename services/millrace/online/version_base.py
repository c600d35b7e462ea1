"""What the updater reads of a version: users, items, histories, and the hashes of the events that are in it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from millrace.recommend.live_arrays import SEEN_ARRAY, LiveParameters
from millrace.recommend.markov import MAX_STEPS_AHEAD
from millrace.registry.manifest import Manifest
from millrace.runtime.text_arrays import TextArray, text_array_names
from millrace.workloads.base import RecommenderModel, Workload

NEEDED_ARRAYS = (
    SEEN_ARRAY,
    "history_starts",
    "history_items",
    *text_array_names("users"),
    *text_array_names("item_ids"),
)


@dataclass(frozen=True)
class VersionBase:
    """`starts` and `flat` are the histories of `users`, `items` their numbers by id; `seen` is sorted, uint64."""

    workload: Workload
    model: RecommenderModel
    version: str
    live: LiveParameters
    items: Mapping[str, int]
    users: TextArray
    starts: np.ndarray
    flat: np.ndarray
    seen: np.ndarray

    @classmethod
    def from_version(
        cls, workload: Workload, model: RecommenderModel, manifest: Manifest, arrays: Mapping[str, np.ndarray]
    ) -> "VersionBase":
        """The arrays of a version, of which a continual one has no `seen`: a repeat of its own events counts twice."""
        # Views of plain arrays: one that is mapped from a file is as fast in memory, and slow as a memmap.
        plain = {name: np.asarray(array) for name, array in arrays.items()}
        items = {item: number for number, item in enumerate(TextArray.from_arrays(plain, "item_ids"))}
        return cls(
            workload,
            model,
            manifest.version,
            LiveParameters.from_manifest(manifest.parameters),
            items,
            TextArray.from_arrays(plain, "users"),
            plain["history_starts"],
            plain["history_items"],
            plain.get(SEEN_ARRAY, np.empty(0, np.uint64)),
        )

    def newest(self, user: str) -> list[int]:
        """The last items of the user's history, oldest first."""
        index = self.users.find(user)
        if index is None:
            return []
        end = int(self.starts[index + 1])
        return self.flat[max(int(self.starts[index]), end - MAX_STEPS_AHEAD) : end].tolist()
