"""The machine and its processes: who runs on which core, how much of it they got."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

CAN_PIN = hasattr(os, "sched_setaffinity")


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if CAN_PIN else list(range(os.cpu_count() or 1))


def server_core() -> int:
    return cores()[0]


def client_core() -> int:
    return cores()[-1]


def model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def described() -> dict[str, Any]:
    """What a number can't be read without."""
    return {
        "cores": len(cores()),
        "processor": model(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": [round(value, 2) for value in os.getloadavg()],
    }


def line(values: dict[str, Any]) -> str:
    return (
        f"{values['cores']} cores, {values['processor']}, {values['memory_gb']:g} GB, Python {values['python']}, "
        f"{values['date']}, load before the run {values['load_before'][0]:g}"
    )


def start(module: str, *arguments: str, core: int | None = None, **options: Any) -> subprocess.Popen:
    """A Python module as a process, on one core where it is given."""
    pinned = (lambda: os.sched_setaffinity(0, {core})) if CAN_PIN and core is not None else None
    return subprocess.Popen([sys.executable, "-m", module, *arguments], preexec_fn=pinned, **options)


@contextmanager
def running(module: str, *arguments: str, log: Path, **options: Any) -> Iterator[psutil.Process]:
    """A server for as long as the block lasts, on the core of the servers; what it says goes to `log`."""
    with log.open("wb") as output:
        process = start(module, *arguments, core=server_core(), stdout=output, stderr=subprocess.STDOUT, **options)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def family(process: psutil.Process) -> Sequence[psutil.Process]:
    return [process, *process.children(recursive=True)]


def seconds_used(process: psutil.Process) -> float:
    """Processor seconds of a process and what it started."""
    return sum(sum(one.cpu_times()[:2]) for one in family(process))


def memory(process: psutil.Process) -> float:
    """Resident megabytes of a process and what it started."""
    return sum(one.memory_info().rss for one in family(process)) / 1e6


@contextmanager
def share(process: psutil.Process, into: dict[str, Any]) -> Iterator[None]:
    """How much of a core the process got: well below 1 under full load, something else was running."""
    used, started = seconds_used(process), time.monotonic()
    yield
    into["cpu_seconds"] = round(seconds_used(process) - used, 3)
    into["cpu_share"] = round(into["cpu_seconds"] / (time.monotonic() - started), 3)
