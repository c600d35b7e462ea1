"""Killing and pausing processes of the stack: only those that its own supervisor has started, each by its pid."""

import signal
from contextlib import suppress

import psutil

from millrace.errors import UnavailableError
from millrace.local import state

WORKER = "worker"
"""Of the targets the one that is no child of the supervisor: a process of the API that answers."""
WORKER_COMMAND = "spawn_main"
"""In the command line of uvicorn's workers, and not of its other children."""


def find_target(target: str) -> psutil.Process:
    """The living process of a target. Raises UnavailableError where there is none now, or where it is not ours."""
    if target == WORKER:
        return _require(next(iter(list_workers()), None), target)
    child = state.read_json(state.state_file()).get("children", {}).get(target, {})
    process = state.find_process(child.get("pid"), child.get("started_at"))
    supervisor = state.find_supervisor()
    try:
        is_ours = process is not None and supervisor is not None and process.ppid() == supervisor.pid
    except psutil.NoSuchProcess:
        is_ours = False
    return _require(process if is_ours else None, target)


def list_workers() -> list[psutil.Process]:
    """The API's processes that answer, the oldest first; none while it is being started."""
    try:
        children = find_target("api").children()
    except (UnavailableError, psutil.NoSuchProcess):
        return []
    workers = []
    for child in children:
        with suppress(psutil.Error):  # one that has ended meanwhile
            workers += [child] if WORKER_COMMAND in " ".join(child.cmdline()) else []
    return workers


def _require(process: psutil.Process | None, target: str) -> psutil.Process:
    if process is None:
        raise UnavailableError(f"{target} does not run now, so nothing can be done to it.", code="no_target")
    return process


def kill_process(process: psutil.Process) -> None:
    """SIGKILL. Raises UnavailableError where it has ended by itself."""
    _send(process, signal.SIGKILL)


def pause_process(process: psutil.Process) -> None:
    """SIGSTOP, which no process can catch. Raises UnavailableError where it has ended by itself."""
    _send(process, signal.SIGSTOP)


def resume_process(process: psutil.Process) -> None:
    """SIGCONT; nothing where it has ended: a supervisor may have replaced what did not answer."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        # psutil compares the start time first: a pid that was given to another process is not hit.
        process.send_signal(number)
    except psutil.NoSuchProcess:
        raise UnavailableError(f"Process {process.pid} has ended.", code="no_target") from None
