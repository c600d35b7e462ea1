"""Trainings wait for rows by asking the catalog, before Spark."""

import logging
import subprocess
import sys

import pytest

from millrace.errors import NotFoundError, UnavailableError
from millrace.lake.offset_ranges import OffsetRange, subtract_ranges
from millrace.training import lake_wait
from millrace.workloads.base import Workload


class Lake:
    """Tables whose rows come with each look; None is a table that is not there yet."""

    def __init__(self, rows: dict[str, list[int | None]], published: int = 0, dead: int = 0):
        self.rows, self.end, self.dead = rows, published, dead
        self.metadata = self
        self.snapshot_id = 17

    def load_table(self, name: str) -> "Lake":
        self.now = self.rows[name].pop(0) if len(self.rows[name]) > 1 else self.rows[name][0]
        if self.now is None:
            raise NotFoundError(f"The lake has no table {name}")
        return self

    def current_snapshot(self) -> "Lake | None":
        return self if self.now else None

    def find_waiting(self, workload: Workload, wanted: list[OffsetRange]) -> list[OffsetRange]:
        """What is neither among the first rows nor a dead letter, at the end of the topic."""
        self.load_table(workload.name)
        return subtract_ranges(wanted, [(0, 0, self.now - 1), (0, self.end - self.dead, self.end)])


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch):
    def make(published: int = 0, dead: int = 0, **rows: list[int | None]) -> Lake:
        made = Lake(rows, published, dead)
        monkeypatch.setattr(lake_wait, "tables", made)
        monkeypatch.setattr(lake_wait, "list_published", lambda _: [OffsetRange(0, 0, made.end - 1)])
        monkeypatch.setattr(lake_wait, "find_waiting", made.find_waiting)
        monkeypatch.setattr("millrace.runtime.retry.time.sleep", lambda _: None)
        return made

    return make


@pytest.fixture
def wait(caplog: pytest.LogCaptureFixture):
    """Wait for rows of these workloads; gives what was logged."""
    caplog.set_level(logging.INFO, "millrace")

    def run(*names: str, seconds: float = 60) -> list[str]:
        lake_wait.wait_for_rows(names, seconds)
        return caplog.messages

    return run


def test_existing_rows_are_not_waited_for(wait, lake):
    lake(courses=[5], published=900)
    assert wait("courses") == []


def test_empty_table_is_rejected_immediately_when_wait_is_zero(wait, lake):
    lake(courses=[0])
    with pytest.raises(
        UnavailableError, match="The lake holds no record of courses yet; `millrace ingest courses FILE`"
    ):
        wait("courses", seconds=0)


def test_late_and_slow_table_is_waited_for_until_all_records_land(wait, lake):
    lake(courses=[None, 0, 5, 300, 899, 900], published=900)
    reasons = [line.partition(": ")[2] for line in wait("courses")]
    assert reasons[0] == "The lake has no table courses"
    assert reasons[1].startswith("The lake holds no record")
    assert reasons[2:] == ["300 of 900 records of courses have landed", "899 of 900 records of courses have landed"]


def test_records_connect_could_not_read_are_not_waited_for(wait, lake):
    lake(courses=[0, 5, 897], published=900, dead=3)
    assert len(wait("courses")) == 1


def test_one_workload_with_rows_is_enough(wait, lake):
    lake(courses=[0], products=[0, 7], published=7)
    assert len(wait("courses", "products")) == 1


def test_records_that_do_not_land_are_skipped_with_log_message(wait, lake, monkeypatch):
    lake(courses=[0, 5], published=900)
    monkeypatch.setattr(lake_wait, "SETTLE_S", 0.0)
    assert wait("courses")[-1] == "5 of 900 records of courses have landed after 0 s; training on those"


def test_lake_wait_does_not_import_spark():
    code = "import sys, millrace.training.lake_wait; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
