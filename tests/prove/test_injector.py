"""The faults that a run makes, over levers that only note that they were moved."""

import io
import time
from types import SimpleNamespace

import pytest

from millrace.errors import UnavailableError
from millrace.prove import injector
from millrace.prove.faults.proxy import Mode
from millrace.prove.history import History, Recorder
from millrace.prove.injector import Injector
from millrace.prove.reingest import ROWS_PER_USER, USERS_PER_FILE, Reingests, make_rows
from millrace.prove.schedule import Fault
from millrace.prove.traffic import Gate
from millrace.settings import settings

ITEMS = [f"C{number}" for number in range(30)]


class FakeProxy:
    def __init__(self):
        self.modes = []

    def set_mode(self, mode: Mode) -> None:
        self.modes.append(mode)


class FakeTarget:
    """The levers of a stack, each of which notes that it was moved."""

    def __init__(self):
        self.proxies = {"kafka": FakeProxy(), "s3": FakeProxy()}
        self.clocks, self.commands, self.champion = None, None, "v9"
        self.disks = SimpleNamespace(fill=self.deeds_of("fill"), free=self.deeds_of("free"))
        self.deeds, self.unlanded = [], 0

    def deeds_of(self, name: str):
        return lambda *values: self.deeds.append((name, *values))

    def count_unlanded(self) -> int:
        return self.unlanded

    def recreate_records(self) -> None:
        self.deeds.append(("recreate",))

    def train(self) -> None:
        self.deeds.append(("train",))

    def publish_copy(self, number: int) -> str:
        return f"v{number}"

    def promote(self, version: str) -> None:
        raise UnavailableError("S3 does not answer")


@pytest.fixture
def made(monkeypatch):
    """(injector, target, the history so far)."""
    monkeypatch.setattr(injector, "TARGET_TIMEOUT_S", 0.0)
    monkeypatch.setattr(injector, "UNANSWERED_S", 0.0)
    output, target = io.StringIO(), FakeTarget()
    recorder = Recorder(output)
    reingests = SimpleNamespace(start_two=target.deeds_of("reingest"))
    return (
        Injector(target, recorder, Gate(), reingests, 1),
        target,
        lambda: History.from_lines(output.getvalue().splitlines()),
    )


def phases(history: History) -> list[tuple[int, str]]:
    return [(line.number, line.phase) for line in history.faults]


def test_fault_that_lasts_is_undone_once(made):
    faults, target, history = made
    faults.begin(0, Fault("cut", "s3", 1, 5))
    assert phases(history()) == [(0, "begin")]
    faults.end(0)
    faults.end(0)
    assert target.proxies["s3"].modes == [Mode.CUT, Mode.PASS]
    assert phases(history()) == [(0, "begin"), (0, "end")]


def test_healing_undoes_everything(made):
    faults, target, history = made
    faults.begin(0, Fault("blackhole", "kafka", 1, 5))
    faults.begin(1, Fault("full", "s3", 1, 5))
    faults.heal()
    assert target.proxies["kafka"].modes[-1] is Mode.PASS
    assert target.deeds == [("fill", "s3"), ("free", "s3")]
    assert phases(history()) == [(0, "begin"), (1, "begin"), (0, "end"), (1, "end")]


def test_fault_that_can_not_be_made_is_recorded_with_its_reason(made, tmp_path, monkeypatch):
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    settings.cache_clear()
    faults, _, history = made
    faults.begin(0, Fault("kill", "kafka", 1))
    faults.begin(1, Fault("clock", "api", 1, 5))
    settings.cache_clear()
    lines = [(line.phase, line.note) for line in history().faults]
    assert lines[1][0] == lines[3][0] == "failed"
    assert "kafka does not run now" in lines[1][1]
    assert "libfaketime" in lines[3][1]


def test_topic_is_recreated_only_when_everything_has_landed(made, monkeypatch):
    faults, target, history = made
    monkeypatch.setattr(injector, "DRAIN_TIMEOUT_S", 0.0)
    target.unlanded = 3
    monkeypatch.setattr(time, "sleep", lambda _: None)
    faults.begin(0, Fault("recreate", "records", 1))
    assert target.deeds == []
    assert "3 records have not landed" in history().faults[1].note
    target.unlanded = 0
    faults.begin(1, Fault("recreate", "records", 1))
    assert target.deeds == [("recreate",), ("train",)]
    assert [mark.value["version"] for mark in history().marks] == ["v9"]


def test_promotion_without_an_answer_is_recorded_as_one_that_may_have_happened(made):
    faults, _, history = made
    faults.begin(0, Fault("swap", "registry", 1))
    faults.heal()
    (mark,) = [mark for mark in history().marks if mark.name == "promotion"]
    assert (mark.value["version"], mark.value["done"]) == ("v0", False)


def test_rows_of_a_file_are_its_own_users_each_with_different_items_in_order():
    rows = make_rows(3, ITEMS)
    assert len(rows) == USERS_PER_FILE * ROWS_PER_USER
    mine = [row for row in rows if row["user_id"] == "file-3-5"]
    assert len({row["course_id"] for row in mine}) == ROWS_PER_USER
    assert [row["enrolled_at"] for row in mine] == sorted({row["enrolled_at"] for row in mine})


def test_killed_ingest_is_unknown_and_one_that_failed_is_run_again(tmp_path):
    """Neither of the two ends well; the third, of `complete`, does."""

    class Runner:
        codes = iter([5, -9, 0])

        def start(self, *arguments: str):
            return SimpleNamespace(kill=lambda: None, arguments=arguments)

        def finish(self, process, timeout_s: float):
            return next(self.codes), {"accepted": 1}

    output = io.StringIO()
    reingests = Reingests(tmp_path, "mooc", ITEMS, Runner(), Recorder(output))
    reingests.start_two(0.0, 0.0)
    reingests.complete()
    operations = History.from_lines(output.getvalue().splitlines()).operations
    assert [operation.outcome for operation in operations] == ["unknown", "unknown", "done"]
    assert len(reingests.users) == USERS_PER_FILE
    assert (tmp_path / "file-0.csv").read_text().splitlines()[0] == "user_id,course_id,enrolled_at"
