"""What the updater reads of a version: users, items, histories, and the hashes of the events that are in it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from millrace.errors import CorruptError
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
        """Raises CorruptError for a version that was made of events and does not say which."""
        if SEEN_ARRAY not in arrays and manifest.data.offsets:
            raise CorruptError(
                f"{manifest.full_name} {manifest.version} has no array `{SEEN_ARRAY}`: an event that it was made of "
                "would count twice when it is sent again. Events do not change its recommendations. Publish another "
                f"with `millrace train {workload.name}`; a continual training goes on from that one with --fresh.",
                code="no_seen",
                field=SEEN_ARRAY,
            )
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
