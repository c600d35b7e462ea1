"""The daemon that starts the children, starts a dead one again, and stops all of them on SIGTERM."""

import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from millrace.errors import ConflictError, MillraceError, UnavailableError
from millrace.local import child, state
from millrace.local.configure import configure
from millrace.local.dead_letters import DeadLetterRecorder
from millrace.local.overrides import NO_OVERRIDES, StackOverrides
from millrace.local.upkeep import Upkeep
from millrace.runtime.locks import take_lock
from millrace.runtime.logs import start_logging
from millrace.runtime.sources import LOCK
from millrace.settings import settings

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 25  # seconds that a child has for stopping before it is killed
STEADY_AFTER_S = 60  # seconds after which an earlier death no longer makes the pause longer
LOCK_TIMEOUT_S = 10
SINK_CHECK_INTERVAL_S = 5  # seconds between two looks at Connect's tasks
CHECKS_PER_TRANSACTION_CHECK = 2  # as many of these looks between two at Kafka's transactions


class StackSupervisor:
    """Starts the processes of the stack in order, watches them, and starts again those that end."""

    def __init__(self, overrides: StackOverrides = NO_OVERRIDES) -> None:
        self.overrides = overrides
        self.home = settings().home
        self.logs = self.home / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.state = state.State(pid=os.getpid(), created=psutil.Process().create_time())
        self.children: list[child.Child] = []
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.starts: dict[str, int] = {}
        self.deaths: dict[str, int] = {}
        self.retry_at: dict[str, float] = {}
        self.stopping = threading.Event()
        self.watched: dict[str, list[str]] = {}
        self.lock: IO[bytes] | None = None
        self.dead_letters = DeadLetterRecorder()

    def prepare(self) -> None:
        self.state.save()
        self.lock = take_lock(self.home / LOCK, LOCK_TIMEOUT_S)
        if self.lock is None:
            raise ConflictError(f"Another supervisor runs in {self.home}; `millrace down` ends it.")
        # The lock says that the addresses there are true; those of the last run are no more.
        state.endpoints_file().unlink(missing_ok=True)
        self.children, self.state.notes = configure(self.home, self.overrides.fronts)
        for note in self.state.notes:
            log.info("%s", note)
        self.state.children = {c.name: state.ChildState(c.name, c.port) for c in self.children}
        self.state.save()

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def launch(self, spec: child.Child) -> None:
        self.starts[spec.name] = child.roll_log(self.log(spec.name))
        extra = self.overrides.environment.get(spec.name, {})
        environment = {**os.environ, "MILLRACE_HOME": str(self.home), **extra}
        process = child.start_child(spec, self.log(spec.name), environment)
        self.processes[spec.name] = process
        known = self.state.children[spec.name]
        known.pid, known.state, known.started_at = process.pid, "starting", psutil.Process(process.pid).create_time()
        self.state.save()

    def wait_ready(self, spec: child.Child) -> None:
        """Raises UnavailableError with the child's last words when it dies or takes too long."""
        deadline = time.monotonic() + spec.seconds
        while not self.stopping.is_set():
            gone = self.processes[spec.name].poll()
            if gone is None and spec.ready():
                self.state.children[spec.name].state = "running"
                self.state.save()
                return
            if gone is not None or time.monotonic() > deadline:
                what = f"ended with {gone}" if gone is not None else f"was not ready after {spec.seconds:g} s"
                log = self.log(spec.name)
                words = child.last_words(log, self.starts[spec.name])
                raise UnavailableError(f"{spec.name} {what}: {words} (log: {log})", code="start_failed")
            time.sleep(0.1)

    def start_all(self) -> None:
        """Kafka and S3 first, side by side; Connect and the API need them. What follows the streams comes last."""
        for wave in (self.children[:2], self.children[2:4], self.children[4:]):
            for spec in wave:
                if self.stopping.is_set():
                    return
                self.launch(spec)
            for spec in wave:
                self.wait_ready(spec)

    def look_after(self, spec: child.Child) -> None:
        """Start a dead child again, each time a little later, and mark a steady one."""
        known, process = self.state.children[spec.name], self.processes[spec.name]
        gone = process.poll()
        if gone is None:
            if known.state == "starting":
                self.see_start(spec, known)
        elif spec.name not in self.retry_at:
            # What a dead child has started itself would keep its port, and its files, from the next one.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            steady = time.time() - (known.started_at or 0) > STEADY_AFTER_S
            self.deaths[spec.name] = 1 if steady else self.deaths.get(spec.name, 0) + 1
            pause = min(30.0, 0.5 * 2 ** (self.deaths[spec.name] - 1))
            words = child.last_words(self.log(spec.name), self.starts[spec.name])
            how = f"was killed by {signal.Signals(-gone).name}" if gone < 0 else f"ended with {gone}: {words}"
            known.restarts += 1
            known.last_error = f"{spec.name} {how}; it is started again in {pause:g} s (restart {known.restarts})."
            known.state = "restarting"
            self.retry_at[spec.name] = time.monotonic() + pause
            log.info("%s", known.last_error)
            self.state.save()
        elif time.monotonic() >= self.retry_at[spec.name]:
            del self.retry_at[spec.name]
            self.launch(spec)

    def see_start(self, spec: child.Child, known: state.ChildState) -> None:
        """A started child becomes running, or is killed when it takes too long: the next look starts it again."""
        if spec.ready():
            known.state = "running"
            log.info("%s runs again.", spec.name)
            self.state.save()
        elif time.time() - (known.started_at or 0) > spec.seconds:
            log.info("%s was not ready after %g s and was killed.", spec.name, spec.seconds)
            self.processes[spec.name].kill()
            self.processes[spec.name].wait()

    def watch_sinks(self) -> None:
        """Connect's failed tasks are restarted, its hanging transactions ended; each is said."""
        for look in itertools.count():
            if self.stopping.wait(SINK_CHECK_INTERVAL_S):
                return
            # A task that is started again forgets how its transaction was ended: these first.
            if look % CHECKS_PER_TRANSACTION_CHECK == 0:
                self.watch("hanging transactions", end_transactions)
            self.watch("the sinks", restart_sinks)
            self.watch("dead letters", self.dead_letters.record_new)

    def keep_up(self) -> None:
        """Logs are rotated while their writers run, and what is due of the lake's upkeep is done."""
        upkeep = Upkeep(self.home, {**os.environ, "MILLRACE_HOME": str(self.home)})
        while not self.stopping.wait(SINK_CHECK_INTERVAL_S):
            self.watch("the logs", self.rotate_logs)
            if settings().local_upkeep:
                self.watch("the upkeep", upkeep.step)
        upkeep.stop()

    def rotate_logs(self) -> list[str]:
        """Set aside each log that has grown large."""
        for log in self.logs.glob("*.log"):
            if child.rotate_log(log):
                self.starts[log.stem] = 0
        return []

    def watch(self, what: str, step: Callable[[], list[str]]) -> None:
        """Say what a step has done, and its fault, each once as long as it stays the same."""
        try:
            sentences = step()
        except UnavailableError:
            return  # Kafka or Connect is starting; the child itself is looked after above.
        except Exception as error:  # noqa: BLE001 - a fault of the watch must not end the watch
            sentences = [f"{what} can't be watched: {type(error).__name__}: {error}"]
        for sentence in sentences:
            if sentence not in self.watched.get(what, ()):
                log.info("%s", sentence)
        self.watched[what] = sentences

    def stop_all(self) -> None:
        """In reverse order, so that whoever writes stops before what it writes to."""
        self.state.phase = "stopping"
        self.state.save()
        for spec in reversed(self.children):
            process = self.processes.get(spec.name)
            if process is None:
                continue
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    log.info("%s did not stop within %s s and was killed.", spec.name, STOP_TIMEOUT_S)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.state.children[spec.name].state = "stopped"
        log.info("all stopped.")

    def run(self) -> int:
        start_logging("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S", output=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        try:
            self.prepare()
            self.start_all()
            if not self.stopping.is_set():
                self.state.phase = "running"
                self.state.save()
                log.info("all children run.")
                for task in (self.watch_sinks, self.keep_up):
                    threading.Thread(target=task, daemon=True).start()
            while not self.stopping.wait(0.2):
                for spec in self.children:
                    self.look_after(spec)
        except (MillraceError, OSError) as error:
            self.state.error = str(error)
            log.error("%s", error)
        finally:
            self.stopping.set()
            self.stop_all()
            self.state.phase = "failed" if self.state.error else "stopped"
            if self.lock:
                state.endpoints_file().unlink(missing_ok=True)
            self.state.save()
        return 1 if self.state.error else 0


def end_transactions() -> list[str]:
    """End the transactions that Kafka has left open; a sentence for each."""
    from millrace.messaging import hanging_transactions

    return hanging_transactions.end_hanging()


def restart_sinks() -> list[str]:
    """Restart the sinks that have failed, behind a record that the lake can't hold; a sentence for each."""
    from millrace.lake import sink_watch

    return sink_watch.look_after_sinks()


if __name__ == "__main__":
    sys.exit(StackSupervisor(*map(StackOverrides.parse, sys.argv[1:2])).run())
