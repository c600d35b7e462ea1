"""Batches of sequences of about the same length, each process of a group its own share of every epoch."""

from collections.abc import Iterator

import numpy as np

from millrace.recommend.sequences import Sequences


def make_batches(
    sequences: Sequences, *, depth: int, size: int, seed: int, rank: int = 0, processes: int = 1
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(size, l) int64 inputs and the items that follow them, -1 where a sequence has ended; l is at most `depth`.

    Of a longer sequence the newest `depth` + 1 items take part. Every process gets as many batches as every other
    one, since each step waits for all; what is left over at the end comes up in another epoch.
    """
    random = np.random.default_rng(seed)
    users = random.permutation(np.flatnonzero(sequences.lengths >= 2))
    near = sequences.lengths[users] + random.uniform(0, 2, len(users))
    users = users[np.argsort(near, kind="stable")]
    cuts = [users[start : start + size] for start in range(0, len(users), size)]
    whole = len(cuts) // processes * processes
    for index in random.permutation(len(cuts))[:whole][rank::processes]:
        yield pad([sequences[user][-depth - 1 :] for user in cuts[index]])


def pad(walks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Ends are padded, not beginnings: a causal model then never looks at the padding, whatever it holds."""
    longest = max(len(walk) for walk in walks) - 1
    inputs = np.zeros((len(walks), longest), dtype=np.int64)
    targets = np.full((len(walks), longest), -1, dtype=np.int64)
    for row, walk in enumerate(walks):
        inputs[row, : len(walk) - 1] = walk[:-1]
        targets[row, : len(walk) - 1] = walk[1:]
    return inputs, targets
