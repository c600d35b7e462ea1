"""The life of a worker: it joins the group, leads it or follows, and leaves its errors to the supervisor."""

import logging
import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from millrace.errors import MillraceError
from millrace.neural.continual.group import WorkerGroup, join_group
from millrace.neural.continual.lead import COMPARE, LEARN, STOP, LeadWorker, WorkerTask, decode_batch
from millrace.neural.continual.learner import Learner
from millrace.neural.continual.state import TrainingState
from millrace.runtime.signals import die_with_parent


class PipeHandler(logging.Handler):
    """Sends what a worker logs to the supervisor."""

    def __init__(self, parent: Connection):
        super().__init__()
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        """Send ("log", sentence)."""
        self._parent.send(("log", record.getMessage()))


def run_worker(rank: int, task: WorkerTask, parent: Connection) -> None:
    """The whole life of a worker; its errors go to the supervisor, which says them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts all of them; the supervisor decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_with_parent()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        with join_group(rank, task.plan.workers, Path(task.folder)) as group:
            if rank == 0:
                logger = logging.getLogger("millrace")
                logger.addHandler(PipeHandler(parent))
                logger.setLevel(logging.INFO)
                LeadWorker(task, group, parent).run()
            else:
                follow(group)
    except MillraceError as error:
        parent.send(("error", {**error.as_dict(), "kind": type(error).__name__}))
        sys.exit(error.exit_code)
    except RuntimeError as error:
        if "gloo" not in str(error).lower():
            raise
        # A worker is gone. The supervisor knows which one, and why.
        parent.send(("left", str(error).splitlines()[0][:200]))
        sys.exit(1)


def _end_with_parent() -> None:
    """Also if the parent was gone before this line."""
    die_with_parent(signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:
        sys.exit(1)


def follow(group: WorkerGroup) -> None:
    """Do what rank 0 shares, until it says to stop."""
    learner = Learner(TrainingState.from_bytes(group.share(), "what worker 0 shared"), group)
    while True:
        message = group.share()
        if message[:1] == STOP:
            return
        if message[:1] == COMPARE:
            group.insist_on_equal(learner.checksum(), "state")
        if message[:1] == LEARN:
            learner.learn(*decode_batch(message[1:]))
