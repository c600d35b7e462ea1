"""Two ingests of one file at once, one of them killed; what did not end well is run again."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple, Protocol

from millrace.errors import UnavailableError
from millrace.prove.history import Json, Recorder, Reply
from millrace.records.writer import write_csv

FIELDS = ("user_id", "course_id", "enrolled_at")
USERS_PER_FILE, ROWS_PER_USER = 40, 4
RATE = "20/s"
"""So that the second begins, and the kill meets the first, in its midst."""
TIMEOUT_S = 180.0
TRIES = 4
FIRST_AT = datetime(2026, 1, 1, tzinfo=UTC)


class Runner(Protocol):
    """Starts commands of Millrace and waits for them."""

    def start(self, *arguments: str) -> "Popen[bytes]": ...

    def finish(self, process: "Popen[bytes]", timeout_s: float) -> tuple[int, Json]: ...


class IngestFile(NamedTuple):
    """A file and what stands in it."""

    path: Path
    rows: list[dict[str, str]]


def make_rows(number: int, items: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a run's file: users of its own, each with a few items in the order of their times."""
    rows = []
    for index in range(USERS_PER_FILE * ROWS_PER_USER):
        turn, user = divmod(index, USERS_PER_FILE)
        item = items[(7 * user + turn) % len(items)]
        at = FIRST_AT + timedelta(minutes=index)
        rows.append({"user_id": f"file-{number}-{user}", "course_id": item, "enrolled_at": at.isoformat()})
    return rows


class Reingests:
    """The files of a run. What did not end well is ingested again by `complete`."""

    def __init__(self, folder: Path, workload: str, items: Sequence[str], commands: Runner, recorder: Recorder):
        self._folder, self._workload, self._items = folder, workload, items
        self._commands, self._recorder = commands, recorder
        self._files: list[IngestFile] = []
        self._done: set[Path] = set()
        self._threads: list[threading.Thread] = []

    @property
    def users(self) -> list[str]:
        """Whose rows stand in the files."""
        return sorted({row["user_id"] for file in self._files for row in file.rows})

    def start_two(self, lead_s: float, kill_after_s: float) -> None:
        """Start two ingests of a new file, the second after `lead_s` seconds; then the first is killed.

        Returns when both run.
        """
        number = len(self._files)
        file = IngestFile(self._folder / f"file-{number}.csv", make_rows(number, self._items))
        write_csv(file.path, FIELDS, file.rows)
        self._files.append(file)
        for pause_s, kill_s in ((0.0, lead_s + kill_after_s), (lead_s, None)):
            time.sleep(pause_s)
            process = self._start(file, RATE)
            thread = threading.Thread(target=self._follow, args=(file, process, kill_s), daemon=True)
            self._threads.append(thread)
            thread.start()

    def complete(self) -> None:
        """Wait for what runs, and ingest again what has not ended well. Raises UnavailableError where that fails."""
        for thread in self._threads:
            thread.join(TIMEOUT_S)
        for file in self._files:
            for _ in range(TRIES):
                if file.path not in self._done:
                    self._follow(file, self._start(file, "1000/s"), None)
            if file.path not in self._done:
                raise UnavailableError(f"{file.path.name} could not be ingested in {TRIES} tries.", code="not_ingested")

    def _start(self, file: IngestFile, rate: str) -> "Popen[bytes]":
        return self._commands.start("ingest", self._workload, str(file.path), "--rate", rate, "--json")

    def _follow(self, file: IngestFile, process: "Popen[bytes]", kill_after_s: float | None) -> None:
        def wait() -> Reply:
            if kill_after_s is not None:
                time.sleep(kill_after_s)
                process.kill()
            code, result = self._commands.finish(process, TIMEOUT_S)
            return Reply(200, result) if code == 0 else Reply(None, {"exit": code, "result": result})

        request = {"file": file.path.name, "rows": file.rows}
        reply = self._recorder.perform("ingest", "ingest", file.path.name, request, wait)
        if reply.outcome == "done":
            self._done.add(file.path)
