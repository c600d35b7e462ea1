"""What a replay from the beginning gives: a snapshot's arrays and every message of the topic after it, folded at once.

Counted by millrace.recommend from whole sequences, so that nothing of millrace.online takes part but the arrays.
"""

from collections import defaultdict
from datetime import datetime

import numpy as np
import orjson

from millrace.messaging.reader import read_all
from millrace.recommend import markov
from millrace.recommend.link_model import LinkModel
from millrace.recommend.links import Links, age_weights, keep_strongest
from millrace.recommend.live_arrays import COUNT_ARRAYS, POPULAR_ARRAY, STATIC_ARRAYS
from millrace.recommend.sequences import Sequences
from millrace.records.times import MARGIN_S
from millrace.registry.manifest import Manifest
from millrace.runtime.text_arrays import read_text_arrays
from millrace.workloads import find_workload


class Replay:
    """`accepted`: how many events came after the snapshot, each once; `tails`: by user, ids of their items in order."""

    def __init__(self, manifest: Manifest, arrays: dict[str, np.ndarray]):
        self.manifest, self.arrays = manifest, arrays
        declared = find_workload(manifest.workload)
        before, after = set(), {}
        ends = {int(part): last for part, (_, last) in manifest.data.offsets.items()}
        for message in read_all(declared.records_topic):
            record = orjson.loads(message.value)
            identity = tuple(record[name] for name in declared.identity)
            position = (message.timestamp, message.partition, message.offset)
            if message.offset <= ends.get(message.partition, -1):
                before.add(identity)
            elif identity not in after or position < after[identity]:
                after[identity] = position
        events = sorted((position, identity) for identity, position in after.items() if identity not in before)
        self.accepted = len(events)
        users = defaultdict(list)
        for position, (user, item, stated) in events:
            # The rule of millrace.records.times in other words.
            late = stated and datetime.fromisoformat(stated).timestamp() > position[0] / 1000 + MARGIN_S
            at = None if late else stated
            since = at if at is not None else max((one[0] for one in users[user][-1:]), default="")
            users[user].append((since, position, item))
        self.tails = {user: [item for _, _, item in sorted(tail)] for user, tail in users.items()}
        texts = read_text_arrays(arrays)
        self.users, self.item_ids = texts["users"].to_list(), texts["item_ids"].to_list()
        self.numbers = {item: number for number, item in enumerate(self.item_ids)}

    def history(self, user: str) -> list[str]:
        starts = self.arrays["history_starts"]
        position = self.users.index(user) if user in self.users else None
        span = slice(0) if position is None else slice(starts[position], starts[position + 1])
        return [self.item_ids[item] for item in self.arrays["history_items"][span]] + self.tails.get(user, [])

    def model(self) -> LinkModel:
        """The version's links with all events counted."""
        items, arrays, live = len(self.numbers), self.arrays, self.manifest.parameters["live"]
        links = Links(*(arrays[name] for name in COUNT_ARRAYS), age_weights(1.0))
        total = links.matrix().astype(np.float64) / live["scale"]
        added = np.zeros(items, dtype=np.int64)
        if self.tails:
            # An item that the version does not know holds its place, and is left out of what is counted.
            unknown = items
            flat, new, starts = [], [], [0]
            for user, tail in self.tails.items():
                history = [self.numbers.get(item, unknown) for item in self.history(user)]
                flat += history
                new += [False] * (len(history) - len(tail)) + [True] * len(tail)
                starts.append(len(flat))
                np.add.at(added, [self.numbers[item] for item in tail if item in self.numbers], 1)
            interactions = Sequences(np.array(flat, dtype=np.int32), np.array(starts), items + 1)
            total = total + markov.count_transitions(interactions, new=np.array(new)).tocsr()[:items, :items]
        sums = np.asarray(total.sum(axis=1)).ravel()
        scaled = total.multiply((np.maximum(sums, 1e-30) ** -live["norm"])[:, None]).tocsr()
        layer = keep_strongest([scaled], items).matrix() * live["share"]
        still = Links(*(arrays[name] for name in STATIC_ARRAYS), age_weights(1.0)).matrix()
        whole = arrays[POPULAR_ARRAY][1] + added
        # Every event of the tests is newer than popularity's window begins.
        popular = np.lexsort((-whole, -(arrays[POPULAR_ARRAY][0] + added)))[: np.count_nonzero(whole)]
        merged = keep_strongest([(still + layer).tocsr()], items)
        return LinkModel(merged.with_ages(arrays["by_age"]), popular.astype(np.int32))
