"""Where the updater keeps what it doesn't need in memory: files of one process, which nobody ever reads again.

A folder below `home` for each process, held by a lock. Whatever a killed process left is removed by the next one that
starts; what another updater still uses is left alone.
"""

import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from millrace.errors import UnavailableError
from millrace.registry.budget import format_megabytes

FOLDER = "online"
LOCK = "lock"
PAGE_BYTES = 4096


class ScratchFullError(UnavailableError):
    """The disk, or what the updater may take of it, is full."""

    code = "no_disk"


SCRATCH_ERRORS = (sqlite3.Error, ScratchFullError)
"""After one of these a database can't be trusted any more: it has no journal. Whoever used it starts over."""


class ScratchFolder:
    """A context manager; `path` exists until it is left. All files below it take at most `budget` bytes."""

    def __init__(self, home: Path, budget: int):
        parent = home / FOLDER
        with translate_disk_errors(parent):
            for folder in (home, parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove_leftovers(parent)
            self.path = Path(tempfile.mkdtemp(dir=parent))
            self._lock = open_locked(self.path)
        self.budget = budget

    def __enter__(self) -> "ScratchFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)

    def count_bytes(self) -> int:
        """What the files take now."""
        return sum(entry.stat().st_size for entry in os.scandir(self.path) if entry.is_file())

    def check_room(self) -> None:
        """Raises ScratchFullError where the files take more than the budget."""
        if (size := self.count_bytes()) > self.budget:
            raise ScratchFullError(
                f"The events since the snapshots take {format_megabytes(size)} in {self.path.parent}; allowed: "
                f"{format_megabytes(self.budget)}. Train again, so that fewer have to be kept, or raise "
                "MILLRACE_ONLINE_SCRATCH_BUDGET (chart: online.scratchBudget, below online.tmpSize)."
            )

    @contextmanager
    def hold_files(self) -> Iterator[Path]:
        """A folder for files that are mapped within the block; mapped they stay readable after it, and then are gone.

        Raises ScratchFullError where they don't fit on the disk.
        """
        with (
            translate_disk_errors(self.path),
            tempfile.TemporaryDirectory(dir=self.path, ignore_cleanup_errors=True) as folder,
        ):
            yield Path(folder)

    def make_file(self) -> Path:
        """A new file for a database; see `discard`. Raises ScratchFullError."""
        with translate_disk_errors(self.path):
            number, name = tempfile.mkstemp(dir=self.path, suffix=".sqlite")
            os.close(number)
        return Path(name)


def connect(file: Path | None, cache_bytes: int) -> sqlite3.Connection:
    """A database to throw away, in memory without a file: one transaction that never ends, no journal, no fsync.

    One thread uses it at a time, which need not be the one that opened it.
    """
    database = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False, cached_statements=64)
    for pragma in (
        f"page_size = {PAGE_BYTES}",
        "journal_mode = OFF",
        "synchronous = OFF",
        "locking_mode = EXCLUSIVE",
        "temp_store = MEMORY",
        f"cache_size = {-max(cache_bytes // 1024, 1)}",
    ):
        database.execute(f"PRAGMA {pragma}")
    database.execute("BEGIN")
    return database


def discard(database: sqlite3.Connection, file: Path | None) -> None:
    """Close a database and remove its file."""
    database.close()
    if file is not None:
        file.unlink(missing_ok=True)


@contextmanager
def translate_disk_errors(folder: Path) -> Iterator[None]:
    """Raises ScratchFullError with a sentence for an OSError of the block."""
    try:
        yield
    except OSError as error:
        raise ScratchFullError(
            f"{folder} can't be written to ({error.strerror or error}). `millrace online` keeps there what does not "
            "fit into memory: free some of the disk, or set MILLRACE_HOME to another one."
        ) from error


def open_locked(folder: Path) -> int | None:
    """A descriptor that holds the lock of a process's folder until it is closed; None where another holds it."""
    number = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return None
    return number


def remove_leftovers(parent: Path) -> None:
    """Remove the folders of processes that are gone."""
    for folder in [entry for entry in parent.iterdir() if entry.is_dir()]:
        try:
            lock = open_locked(folder)
        except FileNotFoundError:
            continue  # another updater that starts now has removed it
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
