"""Killing, pausing, filling a disk and moving a clock: on processes and folders of the test's own, and no others."""

import errno
import os
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from millrace.errors import ConflictError, UnavailableError
from millrace.local import state
from millrace.prove.faults import disk, processes
from millrace.prove.faults.clock import LIBRARY, OffsetClocks, find_library, library_folders
from millrace.settings import settings
from tests.waiting import until

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@pytest.fixture
def sleeper():
    """(supervisor, child): a process of the test's with a child of its own."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        yield psutil.Process(parent.pid), child
        with suppress(psutil.NoSuchProcess):
            child.kill()
        parent.kill()


def write_state(supervisor: psutil.Process, child: psutil.Process, name: str = "kafka") -> None:
    saved = state.State(supervisor.pid, supervisor.create_time(), "running")
    saved.children[name] = state.ChildState(name, None, child.pid, "running", 0, None, child.create_time())
    saved.save()


def test_child_of_the_own_supervisor_is_paused_resumed_and_killed(home, sleeper):
    write_state(*sleeper)
    target = processes.find_target("kafka")
    assert target.pid == sleeper[1].pid
    processes.pause_process(target)
    until(lambda: target.status() == psutil.STATUS_STOPPED)
    processes.resume_process(target)
    until(lambda: target.status() != psutil.STATUS_STOPPED)
    processes.kill_process(target)
    until(lambda: not target.is_running() or target.status() == psutil.STATUS_ZOMBIE)
    processes.resume_process(target)


def test_process_that_the_supervisor_did_not_start_is_never_a_target(home, sleeper):
    """A pid that stands in the state, and belongs to somebody else's process."""
    supervisor, _ = sleeper
    write_state(supervisor, psutil.Process(os.getpid()))
    with pytest.raises(UnavailableError, match="kafka does not run now"):
        processes.find_target("kafka")


@pytest.mark.parametrize("target", ["kafka", "worker", "api"])
def test_target_that_does_not_run_is_named(home, target):
    with pytest.raises(UnavailableError, match=f"{target} does not run now"):
        processes.find_target(target)


def test_signal_to_a_process_that_has_ended_is_an_error(sleeper):
    _, child = sleeper
    gone = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(gone.pid)
    gone.wait()
    with pytest.raises(UnavailableError, match="has ended"):
        processes.kill_process(process)
    assert child.is_running()


def test_disks_are_mounted_below_the_home_and_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    commands = []
    disks = disk.SmallDisks(tmp_path, lambda command: commands.append(list(command)))
    assert disks.mount() is None
    disks.unmount()
    assert [command[0] for command in commands] == ["mount", "mount", "umount", "umount"]
    assert {command[-1] for command in commands} == {str(tmp_path / "kafka"), str(tmp_path / "s3")}


def test_disks_that_can_not_be_mounted_are_named_and_none_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert disk.SmallDisks(tmp_path).mount() == "mounting a tmpfs needs root"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    commands = []

    def run(command) -> str | None:
        commands.append(command[0])
        return "permission denied" if commands == ["mount", "mount"] else None

    assert disk.SmallDisks(tmp_path, run).mount() == "a tmpfs can't be mounted: permission denied"
    assert commands == ["mount", "mount", "umount"]


def test_disk_of_the_machine_is_never_filled(tmp_path):
    (tmp_path / "s3").mkdir()
    with pytest.raises(ConflictError, match="is no disk of its own"):
        disk.SmallDisks(tmp_path).fill("s3")
    assert list((tmp_path / "s3").iterdir()) == []


def test_filling_ends_with_the_last_byte(tmp_path, monkeypatch):
    room = 10_001

    class Limited:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, data: bytes) -> int:
            left = room - self.file.tell()
            if not left:
                raise OSError(errno.ENOSPC, "full")
            return self.file.write(data[:left])

    opened = type(tmp_path).open
    monkeypatch.setattr(type(tmp_path), "open", lambda *args, **options: Limited(opened(*args, **options)))
    assert disk.fill_folder(tmp_path, 4096) == room
    assert (tmp_path / disk.FILLER).stat().st_size == room


def test_command_that_fails_is_explained():
    assert disk.run_command(["true"]) is None
    assert disk.run_command(["false"]) == "false ended with 1"
    assert "no-such-program" in (disk.run_command(["no-such-program"]) or "")


def test_clock_of_a_child_is_a_file_and_the_machines_clock_stays(tmp_path):
    library = tmp_path / LIBRARY
    library.touch()
    assert find_library([tmp_path / "none", tmp_path]) == library
    assert find_library([tmp_path / "none"]) is None
    assert library_folders()
    clocks, before = OffsetClocks(tmp_path, library), time.time()
    environment = clocks.make_environment("api")
    assert environment["LD_PRELOAD"] == str(library)
    file = tmp_path / "clock-api"
    assert environment["FAKETIME_TIMESTAMP_FILE"] == str(file)
    assert file.read_text() == "+0\n"
    clocks.set_offset("api", -300)
    assert file.read_text() == "-300\n"
    assert abs(time.time() - before) < 60
