"""Logs stay bounded while their writers run, and what is due of the lake's upkeep is started, one at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.local import child, state
from millrace.local.upkeep import CHORES, FIRST_RUN_AFTER_S, LOG, MAX_RUN_S, TIMES, Chore, Upkeep
from tests.waiting import until

WRITER = "import sys\nfor line in sys.stdin: sys.stdout.write(line); sys.stdout.flush()"


def test_log_of_a_running_child_is_rotated_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(child, "MAX_LOG_BYTES", 10_000)
    log = tmp_path / "connect.log"
    with log.open("ab") as output:
        writer = subprocess.Popen([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=output, text=True)
    written = 0

    def write(text: str) -> None:
        nonlocal written
        before = log.stat().st_size
        writer.stdin.write(text + "\n")
        writer.stdin.flush()
        written += len(text) + 1
        until(lambda: log.stat().st_size >= before + len(text) + 1)

    try:
        for number in range(5):
            assert not child.rotate_log(log)
            write(f"{number}" * 12_000)
            assert child.rotate_log(log)
            assert log.stat().st_size == 0
            write(f"after {number}")
            assert log.read_text() == f"after {number}\n"  # no hole before it
        assert written > 60_000
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 30_000
        assert (tmp_path / "connect.log.1").read_text().startswith("after 3\n4444")
        assert child.last_words(log) == "after 4"
    finally:
        writer.stdin.close()
        writer.wait()


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def chore(home: Path, name: str, interval_s: float = 100.0, at_once: bool = True, code: str = "pass") -> Chore:
    script = f"open({str(home / name)!r}, 'a').write('x')\n{code}"
    return Chore(name, (sys.executable, "-c", script), interval_s, at_once)


def runs(home: Path, name: str) -> int:
    return len((home / name).read_text()) if (home / name).exists() else 0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


def run(upkeep: Upkeep) -> list[str]:
    """Look until nothing runs any more; all that was said."""
    sentences = upkeep.step()
    until(lambda: sentences.extend(upkeep.step()) or upkeep._running is None)
    return sentences


def test_chores_run_when_due_and_their_times_outlive_the_stack(home: Path):
    clock, chores = Clock(), (chore(home, "often"), chore(home, "daily", 1000.0, at_once=False))
    upkeep = Upkeep(home, os.environ, clock, chores)
    assert upkeep.step() == []
    assert runs(home, "often") == 0  # whoever has just started the stack has the processors
    clock.now += FIRST_RUN_AFTER_S
    run(upkeep)
    run(upkeep)
    assert (runs(home, "often"), runs(home, "daily")) == (1, 0)
    clock.now += 1000
    again = Upkeep(home, os.environ, clock, chores)
    clock.now += FIRST_RUN_AFTER_S
    run(again)
    run(again)
    assert (runs(home, "often"), runs(home, "daily")) == (2, 1)
    assert state.read_json(home / TIMES).keys() == {"often", "daily"}


def test_failed_chore_is_reported_with_its_last_words_and_tried_again(home: Path):
    clock = Clock()
    upkeep = Upkeep(home, os.environ, clock, (chore(home, "bad", code="raise SystemExit('ERROR the disk is full')"),))
    clock.now += FIRST_RUN_AFTER_S
    assert run(upkeep) == [f"bad ended with 1: ERROR the disk is full (log: {home / 'logs' / LOG})."]
    clock.now += 101
    assert len(run(upkeep)) == 1
    assert runs(home, "bad") == 2


def test_chore_that_hangs_is_ended_and_stop_ends_what_runs(home: Path):
    clock = Clock()
    upkeep = Upkeep(home, os.environ, clock, (chore(home, "hung", code="import time; time.sleep(60)"),))
    clock.now += FIRST_RUN_AFTER_S
    upkeep.step()
    process = upkeep._running[1]
    clock.now += MAX_RUN_S + 1
    assert upkeep.step() == [f"hung was ended after 6 hours (log: {home / 'logs' / LOG})."]
    assert process.poll() is not None
    upkeep.step()
    process = upkeep._running[1]
    upkeep.stop()
    assert process.poll() is not None


def test_clock_that_was_set_back_puts_nothing_off(home: Path):
    clock = Clock()
    state.write_private_json(home / TIMES, {"often": clock.now + 1e6})
    upkeep = Upkeep(home, os.environ, clock, (chore(home, "often"),))
    clock.now += FIRST_RUN_AFTER_S
    run(upkeep)
    assert runs(home, "often") == 0
    clock.now += 101
    run(upkeep)
    assert runs(home, "often") == 1


def test_chores_are_commands_of_ours():
    from typer.main import get_command

    from millrace.cli.main import app

    commands = get_command(app)
    for declared in CHORES:
        command = commands
        for word in declared.command[3:]:
            command = command.commands[word]
        assert command.callback
