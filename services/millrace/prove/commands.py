"""Commands of Millrace as processes of a run: `ingest`, `train`, `online`. They end with the run, whatever happens."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import orjson

from millrace.errors import UnavailableError
from millrace.prove.history import Json
from millrace.runtime.signals import die_with_parent, end_child

END_TIMEOUT_S = 10.0
TAIL_CHARACTERS = 600


class Commands:
    """What was started and may still run; logs are in `folder`."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._count = 0

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `millrace ARGUMENTS`; its output is read by `finish`, its errors are in a log.

        For the main thread: the process is ended by the kernel when the thread that has started it is gone.
        """
        with self._lock:
            self._count += 1
            log = self._folder / f"{self._count:03}-{arguments[0]}.log"
            with log.open("wb") as errors:
                process = subprocess.Popen(
                    [sys.executable, "-m", "millrace.cli", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=dict(os.environ),
                    preexec_fn=die_with_parent,
                )
            self._running.append(process)
        return process

    def finish(self, process: subprocess.Popen[bytes], timeout_s: float) -> tuple[int, Json]:
        """(exit code, the last JSON document that it printed). One that takes too long is killed: -9."""
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        with self._lock, suppress(ValueError):
            self._running.remove(process)
        return process.returncode, parse_output(output)

    def run(self, *arguments: str, timeout_s: float) -> Json:
        """What a command prints. Raises UnavailableError with its exit code where it fails."""
        code, result = self.finish(self.start(*arguments), timeout_s)
        if code:
            shown = str(result)[-TAIL_CHARACTERS:]
            raise UnavailableError(
                f"`millrace {' '.join(arguments)}` ended with {code}: {shown}", code="command_failed"
            )
        return result

    def stop(self) -> None:
        """End what still runs."""
        with self._lock:
            left, self._running = self._running, []
        for process in left:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    end_child(process, END_TIMEOUT_S)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def parse_output(output: bytes) -> Json:
    """The JSON of `--json`: a document, or a list of those that stand on lines of their own."""
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(output)
    documents = []
    for line in output.splitlines():
        with suppress(orjson.JSONDecodeError):
            documents.append(orjson.loads(line))
    return documents
