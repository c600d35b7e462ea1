import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest

from millrace.local import ports, stack, state
from millrace.local.child import http_probe
from tests.waiting import until


@contextmanager
def house(home, kind: str = "well") -> Iterator[subprocess.Popen]:
    port = ports.find_free_port()
    command = [sys.executable, "-m", "tests.local.house", str(port), str(ports.find_free_port([port])), kind]
    with (home / "said").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | {"MILLRACE_HOME": str(home)})
    try:
        if kind == "well":
            until(lambda: phase() == "running")
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            below = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for child in below:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.wait()


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that run; one that has ended and was not yet reaped does not."""
    return stack._wait_for_end(processes, 0)


def phase() -> str | None:
    return state.read_json(state.state_file()).get("phase")


def children() -> list[dict[str, Any]]:
    return list(state.read_json(state.state_file())["children"].values())


def test_killed_child_is_restarted_and_reported(home):
    with house(home):
        first = children()[0]
        os.kill(first["pid"], signal.SIGKILL)
        again = until(lambda: (result := children()[0])["state"] == "running" and result["restarts"] and result)
        assert again["pid"] != first["pid"]
        assert again["restarts"] == 1
        assert "was killed by SIGKILL; it is started again in 0.5 s (restart 1)." in again["last_error"]
        # What it had started itself held the port; the new one could not serve beside it.
        assert http_probe(f"http://127.0.0.1:{again['port']}")()
        assert again["last_error"] in (home / "said").read_text()
        assert children()[1]["restarts"] == 0


def test_supervisor_killed_with_sigkill_leaves_no_children(home):
    with house(home) as supervisor:
        below = psutil.Process(supervisor.pid).children(recursive=True)
        assert len(below) == 4
        supervisor.kill()
        supervisor.wait()
        until(lambda: not living(below))
        status = stack.stack_status()
        assert status["phase"] == "stopped"
        assert "killed" in status["error"]


def test_sigterm_stops_every_child_and_records_it(home):
    with house(home) as supervisor:
        below = psutil.Process(supervisor.pid).children(recursive=True)
        supervisor.terminate()
        assert supervisor.wait(30) == 0
        assert not living(below)
        assert phase() == "stopped"
        assert {child["state"] for child in children()} == {"stopped"}


def test_down_stops_supervisor_and_second_down_finds_nothing(home):
    with house(home) as supervisor:
        below = psutil.Process(supervisor.pid).children(recursive=True)
        assert stack.stop_stack()
        assert not living(below)
        supervisor.wait()
        assert not stack.stop_stack()


def test_child_failing_to_start_stops_others_and_its_last_error_is_kept(home):
    with house(home, "broken") as supervisor:
        assert supervisor.wait(30) == 1
        saved = state.read_json(state.state_file())
        assert saved["phase"] == "failed"
        log = home / "logs/sick.log"
        assert saved["error"] == f"sick ended with 1: ERROR the data folder is locked (log: {log})"
        assert not [child for child in children() if state.find_process(child["pid"], child["started_at"])]


@pytest.mark.parametrize("age", [3600, -3600])
def test_other_process_with_same_pid_is_not_mistaken_for_supervisor(home, age):
    created = psutil.Process().create_time()
    state.State(pid=os.getpid(), created=created - age, phase="running").save()
    assert state.find_supervisor() is None
    assert not stack.stop_stack()
