"""Starting, stopping and describing the one-machine stack."""

import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from millrace.errors import ConflictError, UnavailableError
from millrace.local import jars, java, s3, state
from millrace.local.home import make_home
from millrace.local.overrides import NO_OVERRIDES, StackOverrides
from millrace.runtime.signals import die_with_parent
from millrace.settings import settings

log = logging.getLogger(__name__)

BUNDLES = ["kafka", "connect-iceberg", "s3proxy", "spark"]
_started: dict[Path, subprocess.Popen[bytes]] = {}
"""Daemons of this process by home: they outlive it, and Popen would complain of one that is forgotten while it runs."""


@contextmanager
def lock_home() -> Iterator[None]:
    """One `up` or `down` at a time for a home."""
    home = make_home()
    with (home / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                f"Another `millrace up` or `down` is running in {home}; wait until it has finished."
            ) from None
        yield


def check_free_space() -> None:
    """Raises UnavailableError where less is free than `local_disk`."""
    current = settings()
    free = shutil.disk_usage(current.home).free
    if free < current.local_disk:
        raise UnavailableError(
            f"{current.home} has {free / 1e9:.1f} GB free and the stack wants {current.local_disk / 1e9:.1f} GB. Free "
            "some, or set MILLRACE_HOME to a larger disk.",
            code="no_disk",
        )


def start_stack(progress: jars.Progress = lambda done, all_: None, overrides: StackOverrides = NO_OVERRIDES) -> bool:
    """Start the stack and wait until every part serves. False when it ran already and nothing was changed.

    Raises UnavailableError with the one cause when a part can't start; all that was started is stopped again.
    """
    with lock_home():
        if state.find_supervisor() and state.read_json(state.state_file())["phase"] == "running":
            return False
        _end_all()
        check_free_space()
        java.ensure_java()
        if s3.is_minio_wanted():
            s3.find_minio()
        if any(jars.find_missing(bundle) for bundle in BUNDLES):
            log.info("downloading the jars of Kafka, Connect, S3 and Spark, once for this machine")
        jars.ensure_jars(BUNDLES, progress)
        log.info("starting Kafka, S3, Connect and the API")
        _start(overrides)
        settings.cache_clear()
    return True


def _start(overrides: StackOverrides) -> None:
    home, is_bound = settings().home, overrides != NO_OVERRIDES
    (home / "logs").mkdir(exist_ok=True)
    state.state_file().unlink(missing_ok=True)
    with (home / "logs/supervisor.log").open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "millrace.local.supervisor", *([overrides.to_argument()] if is_bound else [])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "MILLRACE_HOME": str(home)},
            preexec_fn=die_with_parent if is_bound else None,
        )
    try:
        while True:
            saved_state = state.read_json(state.state_file())
            if saved_state.get("phase") == "running":
                _started[home] = daemon
                return
            if daemon.poll() is not None:
                reason = saved_state.get("error") or f"the supervisor ended with {daemon.returncode}, see {log.name}"
                raise UnavailableError(f"The stack did not start: {reason}", code="start_failed")
            time.sleep(0.1)
    except BaseException:
        # Ctrl-C while it starts must leave nothing half-started.
        if daemon.poll() is None:
            daemon.terminate()
            daemon.wait()
        raise


def _wait_for_end(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run after so long.

    One that has ended counts as gone before its parent has seen it: in a container the first process may never look.
    """
    deadline = time.monotonic() + seconds
    while True:
        processes = [process for process in processes if _is_running(process)]
        if not processes or time.monotonic() > deadline:
            return processes
        time.sleep(0.05)


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end_processes(*processes: psutil.Process | None) -> bool:
    """SIGTERM, then SIGKILL for them and for what they had started. True when there was something to end."""
    living = [process for process in processes if process]
    below = []
    for process in living:
        with suppress(psutil.NoSuchProcess):
            below += process.children(recursive=True)
            process.send_signal(signal.SIGTERM)
    # The supervisor gives each of its children 25 s.
    _wait_for_end(living, 110)
    for process in _wait_for_end(living + below, 5):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _wait_for_end(living + below, 10)
    return bool(living)


def _end_all() -> bool:
    """End this home's supervisor and what a killed one left. True when there was something to end."""
    ended = _end_processes(state.find_supervisor()) | _end_processes(*state.find_orphans())
    # Another home's supervisor may have been started by this process too; it goes on.
    if daemon := _started.pop(settings().home, None):
        daemon.wait()
    return ended


def stop_stack() -> bool:
    """Stop everything; False when nothing ran. Data, models and ports are kept for the next `up`."""
    with lock_home():
        return _end_all()


def stack_status() -> dict[str, Any]:
    """{"phase", "notes", "children": [{"name", "port", "pid", "state", "restarts", "last_error", "memory"}]}."""
    saved_state = state.read_json(state.state_file())
    if not saved_state or not state.find_supervisor():
        error = saved_state.get("error")
        if saved_state.get("phase") in ("starting", "running"):
            error = "The supervisor was killed, and its children ended with it. `millrace up` starts them again."
        return {"phase": "stopped", "notes": [], "children": [], "error": error}
    children = []
    for child in saved_state["children"].values():
        running = state.find_process(child["pid"], child["started_at"])
        children.append(child | {"memory": running.memory_info().rss if running else 0})
    return {
        "phase": saved_state["phase"],
        "notes": saved_state["notes"],
        "children": children,
        "error": saved_state["error"],
    }
