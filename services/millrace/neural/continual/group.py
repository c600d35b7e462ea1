"""The torch.distributed group: all get what rank 0 has read, and gradients are summed so that weights stay equal."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

from millrace.errors import CorruptError

GROUP_TIMEOUT = timedelta(minutes=15)
"""How long a worker waits for the others; rank 0 gives a sign of life far more often."""


class WorkerGroup:
    """`processes` of 1 needs no group and sends nothing."""

    def __init__(self, rank: int = 0, processes: int = 1):
        self.rank, self.processes = rank, processes

    def share(self, content: bytes = b"") -> bytes:
        """What rank 0 gave, in all workers."""
        if self.processes == 1:
            return content
        size = torch.tensor([len(content)])
        distributed.broadcast(size, 0)
        if not int(size):
            return b""
        body = torch.frombuffer(bytearray(content), dtype=torch.uint8) if self.rank == 0 else None
        body = torch.empty(int(size), dtype=torch.uint8) if body is None else body
        distributed.broadcast(body, 0)
        return body.numpy().tobytes()

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all workers, in place, with the same bits in each."""
        if self.processes > 1:
            distributed.all_reduce(tensor)
        return tensor

    def insist_on_equal(self, checksum: str, what: str) -> None:
        """Raises CorruptError, in every worker, where one has another checksum."""
        if self.processes == 1:
            return
        own = torch.frombuffer(bytearray(hashlib.sha256(checksum.encode()).digest()), dtype=torch.uint8)
        all_of_them = [torch.empty_like(own) for _ in range(self.processes)]
        distributed.all_gather(all_of_them, own)
        if other := [rank for rank, one in enumerate(all_of_them) if not torch.equal(one, all_of_them[0])]:
            raise CorruptError(
                f"Worker {other[0]} holds another {what} than worker 0; nothing of it was kept. The group starts again "
                "from the last checkpoint.",
                code="workers_differ",
                field="weights",
            )


@contextmanager
def join_group(rank: int, processes: int, folder: Path) -> Iterator[WorkerGroup]:
    """The group that meets in a file of a folder which is new for every start."""
    if processes == 1:
        yield WorkerGroup()
        return
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/group", rank=rank, world_size=processes, timeout=GROUP_TIMEOUT
    )
    try:
        yield WorkerGroup(rank, processes)
    finally:
        distributed.destroy_process_group()
