"""Running the command line as people do: a process, its JSON and its exit code."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def millrace(*arguments: str, stdin: bytes | None = None, timeout: float = 300) -> tuple[int, Any, str]:
    """(exit code, parsed JSON of standard output, standard error) of a command with --json."""
    done = subprocess.run(
        [sys.executable, "-m", "millrace.cli", *arguments, "--json"], input=stdin, capture_output=True, timeout=timeout
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr.decode()


def started(*arguments: str, stderr: int | None = subprocess.PIPE) -> subprocess.Popen:
    """A command that goes on while the test does something to it."""
    command = [sys.executable, "-m", "millrace.cli", *arguments, "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen]:
    """The same, ended by a kill at the latest when the block is left; what it said against it goes to the test's."""
    with started(*arguments, stderr=None) as process:
        try:
            yield process
        finally:
            process.kill()
