"""A full disk: folders of the stack's home are small tmpfs of their own, which a file fills to the last byte."""

import errno
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from millrace.errors import ConflictError

FILLER = "filled-by-prove"
SIZE_BYTES = {"kafka": 384 << 20, "s3": 512 << 20}
"""By target: the stack's own logs and objects of a run of an hour fit, and memory of the machine stays free."""
FOLDERS = {"kafka": "kafka", "s3": "s3"}
"""By target, the folder below the home (local/kafka.py, local/s3.py)."""
STEP_BYTES = 1 << 20
Command = Callable[[Sequence[str]], str | None]
"""Runs a program; what it says when it fails, None when it succeeds."""


def run_command(command: Sequence[str]) -> str | None:
    """Run a program of the system."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    return (done.stderr.strip() or f"{command[0]} ended with {done.returncode}") if done.returncode else None


class SmallDisks:
    """The mounted folders of one home."""

    def __init__(self, home: Path, run: Command = run_command):
        self._home, self._run = home, run
        self._mounted: list[Path] = []

    def mount(self) -> str | None:
        """Mount all before the stack starts; why that can't be done here, and then nothing is mounted."""
        if os.geteuid() != 0:
            return "mounting a tmpfs needs root"
        for target, folder in FOLDERS.items():
            path = self._home / folder
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            options = f"size={SIZE_BYTES[target]},mode=0700,nosuid,nodev"
            if fault := self._run(["mount", "-t", "tmpfs", "-o", options, "millrace-prove", str(path)]):
                self.unmount()
                return f"a tmpfs can't be mounted: {fault}"
            self._mounted.append(path)
        return None

    def unmount(self) -> None:
        """Give all back; what is still in use goes when its last user ends."""
        while self._mounted:
            self._run(["umount", "--lazy", str(self._mounted.pop())])

    def fill(self, target: str) -> int:
        """Fill a target's disk; bytes that this took. Raises ConflictError where it is no disk of its own."""
        folder = self._home / FOLDERS[target]
        if folder not in self._mounted or not os.path.ismount(folder):
            raise ConflictError(f"{folder} is no disk of its own: filling it would fill the machine's.")
        return fill_folder(folder)

    def free(self, target: str) -> None:
        """Take away what filled the disk."""
        (self._home / FOLDERS[target] / FILLER).unlink(missing_ok=True)


def fill_folder(folder: Path, step: int = STEP_BYTES) -> int:
    """Write a file until the disk has no room left for another byte; its size."""
    size = 0
    with (folder / FILLER).open("wb", buffering=0) as file:
        while step:
            try:
                written = file.write(bytes(step))
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                written = 0
            size += written
            step = step if written == step else step // 2
    return size
