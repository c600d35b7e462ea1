"""What the stack writes down about itself: addresses for the settings, states for people."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from millrace.runtime.sources import ENDPOINTS
from millrace.settings import settings


@dataclass
class ChildState:
    """One process of the stack, as `status` shows it."""

    name: str
    port: int | None
    pid: int | None = None
    state: str = "waiting"
    """waiting, starting, running, restarting or stopped."""
    restarts: int = 0
    last_error: str | None = None
    started_at: float | None = None


@dataclass
class State:
    """`phase` is starting, running, failed, stopping or stopped.

    `created`, like `started_at` of a child, is the process's start as the system tells it: it tells the process from
    a later one that was given the same pid.
    """

    pid: int
    created: float
    phase: str = "starting"
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    children: dict[str, ChildState] = field(default_factory=dict)

    def save(self) -> None:
        write_private_json(state_file(), asdict(self))


def state_file() -> Path:
    """Where the supervisor writes what runs."""
    return settings().home / "state.json"


def endpoints_file() -> Path:
    """Where the stack's addresses are written; settings believe them while it runs."""
    return settings().home / ENDPOINTS


def write_private_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file in one step; only its owner may read it."""
    write_private_text(path, json.dumps(content, indent=1))


def write_private_text(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text)
    os.replace(part, path)


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file, empty where there is none."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def find_process(pid: int | None, created: float | None) -> psutil.Process | None:
    """The living process of that pid and start time, or None."""
    try:
        candidate = psutil.Process(pid) if pid else None
        if candidate is None or candidate.status() == psutil.STATUS_ZOMBIE:
            return None
        return candidate if abs(candidate.create_time() - (created or 0)) < 5 else None
    except psutil.Error:
        return None


def find_supervisor() -> psutil.Process | None:
    """The running supervisor of this home, or None."""
    state = read_json(state_file())
    return find_process(state.get("pid"), state.get("created"))


def find_orphans() -> list[psutil.Process]:
    """Children that a killed supervisor left and that have not ended yet."""
    children = read_json(state_file()).get("children", {}).values()
    return [running for child in children if (running := find_process(child["pid"], child["started_at"]))]
