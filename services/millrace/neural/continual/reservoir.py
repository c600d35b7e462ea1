"""The replay buffer: a uniform sample of all events so far, in bounded memory.

Vitter, "Random Sampling with a Reservoir" (1985), algorithm R.
"""

import numpy as np


class ReplayBuffer:
    """`kept`: (n, 2) int64, the user and the place in that user's history of n <= `size` events."""

    def __init__(self, size: int, seed: int):
        self.size, self.seed, self.seen = size, seed, 0
        self.kept = np.zeros((0, 2), dtype=np.int64)

    def offer(self, places: np.ndarray) -> None:
        """(m, 2) further events. What is drawn depends on the seed and on how many came before, on nothing else."""
        random = np.random.default_rng((self.seed, self.seen))
        room = self.size - len(self.kept)
        self.kept = np.concatenate([self.kept, places[:room]])
        self.seen += min(room, len(places))
        late = places[room:]
        # Event number s stays with the chance size / (s + 1), in the place of any other.
        drawn = random.integers(0, self.seen + np.arange(len(late)) + 1)
        for event, index in zip(late[drawn < self.size], drawn[drawn < self.size], strict=True):
            self.kept[index] = event
        self.seen += len(late)

    def draw(self, count: int, step: int) -> np.ndarray:
        """(count, 2) of the kept events, with replacement; none where nothing is kept."""
        if not len(self.kept):
            return self.kept
        return self.kept[np.random.default_rng((self.seed, 1, step)).integers(0, len(self.kept), count)]
