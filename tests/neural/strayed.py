"""A group of two in which one goes wrong, to see that both notice."""

from pathlib import Path

import torch

from millrace.errors import CorruptError
from millrace.neural.continual.group import join_group
from millrace.neural.continual.learner import Learner
from millrace.neural.continual.state import TrainingState
from tests.neural.streams import MODEL, SMALL, micro_batches, stream


def run(rank: int, folder: str) -> None:
    """Two micro-batches together, then one weight of worker 1 moves; what each hears is left in a file."""
    torch.set_num_threads(1)
    first, second, *_ = micro_batches(stream(200), SMALL.batch)
    with join_group(rank, 2, Path(folder)) as group:
        assert group.share(b"for all" if rank == 0 else b"") == b"for all"
        learner = Learner(TrainingState.make_empty(SMALL, MODEL.window), group)
        for item in (first, second):
            learner.learn(*item)
        group.insist_on_equal(learner.checksum(), "state")
        if rank == 1:
            learner.state.weights.network.norm.bias.data[0] += 1e-7
        try:
            group.insist_on_equal(learner.checksum(), "state")
        except CorruptError as error:
            Path(folder, f"heard-{rank}").write_text(error.message)
