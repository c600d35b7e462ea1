"""A child process of the stack: what to run, and how to tell that it is ready."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from millrace.local import jvm
from millrace.runtime import http
from millrace.runtime.signals import die_with_parent

MAX_LOG_BYTES = 20_000_000
"""A larger log is set aside as `<name>.log.1` and replaces the one before: two of these are the most of a child."""


@dataclass(frozen=True)
class Child:
    """`ready` answers whether it serves now; `seconds` is how long a start may take."""

    name: str
    command: list[str]
    port: int | None
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60
    folder: Path | None = None
    """Where it runs, in the environment of a JVM of the stack; None for a child that takes both from its parent."""


def http_probe(url: str, *statuses: int, login: tuple[str, str] | None = None) -> Callable[[], bool]:
    """A readiness probe: `url` answers with one of `statuses` (200 if none is given), to `login` where one is given."""

    def probe() -> bool:
        try:
            return http.get(url, timeout=2, auth=login).status_code in (statuses or (200,))
        except httpx.HTTPError:
            return False

    return probe


def start_child(child: Child, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start it with its output appended to `log`, in a process group of its own."""
    inherited = jvm.clean_environment(environment) if child.folder else environment
    with log.open("ab") as output:
        return subprocess.Popen(
            child.command,
            cwd=child.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**inherited, **child.environment},
            start_new_session=True,
            preexec_fn=die_with_parent,
        )


def roll_log(log: Path) -> int:
    """Set a large log aside as `<name>.log.1`; the byte at which the next start's lines begin."""
    size = log.stat().st_size if log.exists() else 0
    if size <= MAX_LOG_BYTES:
        return size
    os.replace(log, log.with_name(f"{log.name}.1"))
    return 0


def rotate_log(log: Path) -> bool:
    """Set a large log aside while its writer goes on; False where it is not large.

    The writer keeps its file, which is copied and emptied: it appends, so its next line is the first one. A line that
    it writes between the two is lost.
    """
    if not log.exists() or log.stat().st_size <= MAX_LOG_BYTES:
        return False
    part = log.with_name(f"{log.name}.part")
    shutil.copyfile(log, part)
    os.truncate(log, 0)
    os.replace(part, log.with_name(f"{log.name}.1"))
    return True


def last_words(log: Path, start: int = 0) -> str:
    """The line of a log, from byte `start` on, that most likely says what went wrong."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - 65_536))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "no log"
    messages = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("at ")]
    causes = [line for line in messages if "Caused by" in line or "Exception" in line or "ERROR" in line]
    return (causes or messages or ["no output"])[-1][:300]
