"""The parent of the group: starts the workers, ends them, and starts them again from the checkpoint when one dies."""

import importlib.util
import logging
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

from millrace import errors
from millrace.errors import BadInputError, MillraceError, UnavailableError
from millrace.neural.continual.event_log import EventLog
from millrace.neural.continual.kafka_event_log import KafkaLog
from millrace.neural.continual.plan import NETWORKS, ContinualPlan
from millrace.runtime.signals import StopSignal
from millrace.settings import settings
from millrace.workloads.base import RecommenderModel, Workload

log = logging.getLogger(__name__)

PROGRESS_INTERVAL_S = 5.0  # seconds between two lines about progress
MAX_RESTART_DELAY_S = 10.0  # seconds before another start


def check_plan(workload: Workload, name: str | None, plan: ContinualPlan) -> RecommenderModel:
    """The model to train. Raises BadInputError or NotFoundError with what is allowed."""
    if plan.network not in NETWORKS:
        allowed = ", ".join(NETWORKS)
        raise BadInputError(
            f"unknown network {plan.network!r}; choose one of {allowed}.", field="network", allowed=allowed
        )
    models = [model for model in workload.recommenders if name in (None, model.name)]
    if not models:
        allowed = ", ".join(model.name for model in workload.recommenders) or "none"
        raise errors.NotFoundError(
            f"{workload.name} has no recommender{f' {name!r}' if name else ''}; allowed: {allowed}.",
            field="model",
            allowed=allowed,
        )
    if importlib.util.find_spec("torch") is None:
        raise BadInputError(
            f"{plan.network} needs PyTorch, which is not installed: pip install 'millrace[neural,api]'.",
            code="no_torch",
            field="network",
            allowed="an environment with the extra `neural`",
        )
    return models[0]


class GroupSupervisor:
    """`heard` holds the last message of each kind, `published` all publications.

    `open_log` opens the stream in worker 0, to which it is pickled; by default the workload's topic.
    `progress` is called with the number of each micro-batch and the processes of the group.
    """

    def __init__(
        self,
        workload: Workload,
        model: RecommenderModel,
        plan: ContinualPlan,
        open_log: Callable[[], EventLog] | None = None,
        progress: Callable[[int, list[Any]], None] = lambda batch, workers: None,
    ):
        self.workload, self.model, self.plan = workload, model, plan
        self.open_log = open_log or partial(KafkaLog, workload.records_topic)
        self.stop = StopSignal()
        self.heard: dict[str, Any] = {}
        self.published: list[dict[str, Any]] = []
        self.progress = progress
        self.failures = self.restarts = 0
        self.workers: list[Any] = []
        self._line = 0.0

    def run(self) -> dict[str, Any]:
        """Until the end, a signal, or an error that another start would not mend."""
        with self.stop.listen():
            while (fault := self._run_group()) is not None:
                self.failures += 1
                if self.failures > self.plan.restarts:
                    raise UnavailableError(
                        f"The group ended {self.failures} times without another checkpoint; the last time {fault}. "
                        "Started again, the command goes on from the last checkpoint.",
                        code="workers_died",
                    )
                self.restarts += 1
                again = f"{self.failures} of {self.plan.restarts}"
                log.info("%s; the group starts again from the last checkpoint (%s)", fault, again)
                deadline = time.monotonic() + min(0.25 * 2**self.failures, MAX_RESTART_DELAY_S)
                while self.stop.signal is None and time.monotonic() < deadline:
                    time.sleep(0.1)
                if self.stop.signal is not None:
                    break
        return {
            "workload": self.workload.name,
            "model": self.model.name,
            "network": self.plan.network,
            **self.heard.get("ended", {}),
            "checkpoint": self.heard.get("kept", {}).get("batch"),
            "published": self.published,
            "restarts": self.restarts,
            "signal": self.stop.signal,
        }

    def _run_group(self) -> str | None:
        """One life of the group; None when it ended as it should, else what happened."""
        from millrace.neural.continual.lead import WorkerTask
        from millrace.neural.continual.worker import run_worker

        context = multiprocessing.get_context("spawn")
        with tempfile.TemporaryDirectory(prefix="millrace-continual-") as folder:
            task = WorkerTask(
                self.workload.name,
                self.model.name,
                settings().models_bucket,
                replace(self.plan, fresh=self.plan.fresh and "begun" not in self.heard),
                self.open_log,
                folder,
                self.restarts,
            )
            pipes: list[Connection] = []
            self.workers = []
            try:
                for rank in range(self.plan.workers):
                    ours, theirs = context.Pipe()
                    worker = context.Process(target=run_worker, args=(rank, task, theirs), name=f"continual-{rank}")
                    worker.start()
                    theirs.close()  # so that the pipe ends with the worker
                    self.workers.append(worker)
                    pipes.append(ours)
                return self._watch(pipes)
            finally:
                for worker in self.workers:
                    worker.kill()
                    worker.join()
                for pipe in pipes:
                    pipe.close()

    def _watch(self, pipes: list[Connection]) -> str | None:
        """None when all ended as they should, else which did not. Raises an error that a worker has sent."""
        stopping, open_pipes = False, list(pipes)
        error: MillraceError | None = None
        while any(worker.exitcode is None for worker in self.workers):
            if self.stop.signal is not None and not stopping:
                stopping = True
                log.info("finishing the micro-batch, then a checkpoint")
                self._request_stop(pipes[0])
            for pipe in wait(
                [*open_pipes, *(worker.sentinel for worker in self.workers if worker.exitcode is None)], 0.3
            ):
                if isinstance(pipe, Connection):
                    error = self._receive(pipe, open_pipes) or error
            if error or any(worker.exitcode for worker in self.workers):
                break
        for pipe in list(open_pipes):
            while pipe in open_pipes and pipe.poll():
                error = self._receive(pipe, open_pipes) or error
        if error is not None:
            # What another start may mend: a server that is away for a while, once this one has worked.
            if "begun" in self.heard and (isinstance(error, UnavailableError) or error.code == "workers_differ"):
                return error.message.rstrip(".")
            raise error
        codes = [worker.exitcode for worker in self.workers]
        if any(codes):
            return self._describe_exit(codes)
        return None

    def _request_stop(self, pipe: Connection) -> None:
        with suppress(OSError):  # rank 0 is gone, which is dealt with as any death
            pipe.send("stop")

    def _receive(self, pipe: Connection, open_pipes: list[Connection]) -> MillraceError | None:
        """Take one message of a worker; an error is given back."""
        try:
            kind, content = pipe.recv()
        except (EOFError, OSError):
            open_pipes.remove(pipe)
            return None
        self.heard[kind] = content
        if kind == "log":
            log.info("%s", content)
        elif kind == "error":
            made = getattr(errors, content.pop("kind"), MillraceError)
            return made(content.pop("message"), **content)
        elif kind == "kept":
            self.failures = 0
        elif kind == "published":
            self.published.append(content)
        elif kind == "learned":
            self._print_progress(content)
        return None

    def _print_progress(self, progress: dict[str, Any]) -> None:
        if time.monotonic() - self._line >= PROGRESS_INTERVAL_S:
            self._line = time.monotonic()
            log.info(
                "micro-batch %s: prequential HR@10 %.4f, loss %.4f, %s events behind",
                progress["batch"],
                progress["hr@10"],
                progress["loss"],
                progress["lag"],
            )
        self.progress(progress["batch"], self.workers)

    def _describe_exit(self, codes: list[int | None]) -> str:
        """Which worker went first: the others only end because of it."""
        code, rank = min((code, rank) for rank, code in enumerate(codes) if code)
        return f"worker {rank} was ended by signal {-code}" if code < 0 else f"worker {rank} ended with code {code}"
