"""Kill -9 of ingest, broker and Connect in mid-run: the training set has every record once."""

import itertools
import os
import signal
import subprocess
import time

import pytest

from millrace.ingest.check import RecordChecker
from millrace.ingest.publish import ingest_source
from millrace.lake.gaps import find_unexplained
from millrace.lake.progress import wait_until_landed
from millrace.local import stack as local
from millrace.messaging.reader import end_offsets
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.readers import open_source, read_rows
from millrace.training import dataset, offsets
from millrace.training.lake_wait import newest_snapshot
from millrace.workloads import find_workload
from tests.conftest import generated
from tests.pipeline.command import started


def kill(name: str) -> int:
    """Kill -9 of a child of the stack; its process id."""
    child = next(child for child in local.stack_status()["children"] if child["name"] == name)
    os.kill(child["pid"], signal.SIGKILL)
    return child["pid"]


def wait_running(name: str, killed: int = 0) -> None:
    """Wait until it has been started again and, where one is named, another process than the killed one runs."""
    deadline = time.monotonic() + 180
    while True:
        child = next(child for child in local.stack_status()["children"] if child["name"] == name)
        if child["state"] == "running" and child["restarts"] and child["pid"] != killed:
            return
        assert time.monotonic() < deadline, f"{name} did not come back: {child}"
        time.sleep(0.3)


def published() -> int:
    return sum(end_offsets("rentals.records").values())


def publishing(file, rate: str) -> subprocess.Popen:
    """An ingest in mid-run: one that starts while the broker is away ends with a sentence about that."""
    before, deadline = published(), time.monotonic() + 120
    process = started("ingest", "rentals", str(file), "--rate", rate)
    while published() == before:
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() < deadline, "the ingest published nothing"
        time.sleep(0.2)
    return process


@pytest.mark.parametrize(("count", "kills"), [(12_000, 1), pytest.param(30_000, 3, marks=pytest.mark.thorough)])
def test_every_accepted_record_is_in_training_set_exactly_once(stack, spark, tmp_path, count, kills):
    workload = find_workload("rentals")
    file = generated(workload, count, 31 + kills, tmp_path)
    with open_source(str(file)) as source:
        checker = RecordChecker(workload, source.name)
        outcomes = [(row, checker.check_row(row)) for row in read_rows(source, ())]
    accepted = {
        o.value[o.value.rindex(b'"record_id":"') + 13 : -2].decode()
        for _, o in outcomes
        if isinstance(o, AcceptedRecord)
    }
    assert len(accepted) == count - count // 500

    for _ in range(kills):
        process = publishing(file, "3000/s")
        process.kill()
        process.communicate()

    process = publishing(file, "100/s")
    for name in itertools.islice(itertools.cycle(["kafka", "connect"]), 2 * kills):
        time.sleep(3)
        assert process.poll() is None, process.communicate()[0].decode()
        kill(name)
        wait_running(name)
    process.terminate()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    # Then the whole file once more, without a pause, as its user would.
    counts = ingest_source(workload, str(file))
    assert counts["accepted"] == len(accepted)
    assert not counts["already"]

    wait_until_landed(workload, timeout=120)
    snapshot = dataset.read_snapshot(spark, workload, newest_snapshot(workload))
    audit = offsets.audit_offsets(snapshot)
    offsets.check_audit(audit, "rentals", {}, find_unexplained(workload, audit.gaps))
    assert sum(last - first + 1 for first, last in audit.ranges.values()) == published()

    mine = snapshot.where(snapshot.record_id.isin(sorted(accepted)))
    once = dataset.deduplicate(mine, workload, audit.ranges)
    assert once.repeated > 0, "the killed ingests should have left records that stand there twice"
    ids = [row.record_id for row in once.rows.select("record_id").collect()]
    assert len(ids) == len(set(ids)) == len(accepted)
    assert set(ids) == accepted
