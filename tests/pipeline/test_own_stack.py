"""A command talks to the stack of its own home, or to none."""

import fcntl
import json
import shutil
import time

import pytest

from millrace.lake.progress import count_published
from millrace.runtime.sources import ENDPOINTS, LOCK
from millrace.settings import settings
from millrace.workloads import find_workload
from tests.conftest import generated
from tests.pipeline.command import millrace

READING = ["rejected", "count", "rentals"]


@pytest.fixture
def other(stack, tmp_path, monkeypatch):
    """A home beside that of the running stack, in which nothing runs."""
    home = tmp_path / "other"
    home.mkdir()
    monkeypatch.setenv("MILLRACE_HOME", str(home))
    yield home
    monkeypatch.undo()
    settings.cache_clear()


def count_of_the_stack(stack, monkeypatch) -> int:
    monkeypatch.setenv("MILLRACE_HOME", str(stack))
    settings.cache_clear()
    return count_published(find_workload("rentals"))


@pytest.mark.parametrize("leftover", [False, True], ids=["new home", "stopped, and its ports were taken by another"])
def test_home_without_running_stack_reads_and_writes_nothing(stack, other, tmp_path, monkeypatch, leftover):
    if leftover:
        for name in (ENDPOINTS, LOCK, "credentials.json"):
            shutil.copy(stack / name, other / name)
    file = generated(find_workload("rentals"), 50, 21, tmp_path)
    for arguments in (READING, ["ingest", "rentals", str(file)], ["topics", "list"], ["models", "list"]):
        code, body, _ = millrace(*arguments)
        assert (code, body["error"]["code"]) == (5, "stopped")
        assert f"No stack runs in {other}. Start it with `millrace up`" in body["error"]["message"]
    before = count_of_the_stack(stack, monkeypatch)
    time.sleep(0.5)
    assert count_published(find_workload("rentals")) == before


def test_running_home_is_rejected_by_another_broker_on_its_port(stack, other, tmp_path, monkeypatch):
    """The other broker knows the same user, and not this home's password: nothing is read, nothing written."""
    endpoints = json.loads((stack / ENDPOINTS).read_text()) | {"kafka_password": "that of another home"}
    (other / ENDPOINTS).write_text(json.dumps(endpoints))
    monkeypatch.setenv("MILLRACE_KAFKA_TIMEOUT", "5")
    file = generated(find_workload("rentals"), 50, 22, tmp_path)
    with (other / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for arguments in (READING, ["ingest", "rentals", str(file)]):
            began = time.monotonic()
            code, body, _ = millrace(*arguments)
            assert (code, body["error"]["code"]) == (5, "kafka_refused")
            assert "does not know this login" in body["error"]["message"]
            assert time.monotonic() - began < 90


def test_commands_that_need_no_stack_work_without_one(other, tmp_path):
    file = generated(find_workload("rentals"), 50, 23, tmp_path)
    code, counts, _ = millrace("validate", "rentals", str(file))
    assert (code, counts["read"]) == (0, 50)
