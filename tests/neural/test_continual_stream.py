"""`millrace continual` over the real broker and object storage, as people run it."""

import json
import os
import random
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install -r requirements/neural.lock")

from millrace.ingest.publish import ingest_source
from millrace.messaging.reader import end_offsets
from millrace.neural.continual.checkpoint import CheckpointStore
from millrace.neural.continual.event_log import read_events
from millrace.neural.continual.kafka_event_log import KafkaLog
from millrace.neural.continual.plan import ContinualPlan
from millrace.registry.registry import Registry
from millrace.registry.store import ObjectStore
from millrace.settings import settings
from millrace.workloads import find_workload
from tests.conftest import generated
from tests.pipeline.command import started
from tests.registry.servers import settings_of

MOOC = find_workload("mooc")
OPTIONS = ["--batch", "64", "--steps", "2", "--width", "16", "--depth", "8", "--checkpoint", "4"]
OPTIONS += ["--publish", "512", "--held-out", "128"]


@pytest.fixture(scope="module")
def enrolments(stack, tmp_path_factory) -> Iterator[dict[int, int]]:
    """The end offsets of the topic, with some 1,500 generated enrolments in it; models go to a bucket of their own."""
    ingest_source(MOOC, str(generated(MOOC, 1500, 41, tmp_path_factory.mktemp("continual"))))
    with settings_of({"MILLRACE_MODELS_BUCKET": "continual-tests"}):
        ObjectStore(settings().models_bucket).ensure_bucket()
        yield end_offsets(MOOC.records_topic)


def test_log_returns_exact_offsets_of_cuts_in_any_order(enrolments):
    log = KafkaLog(MOOC.records_topic)
    assert log.ends() == enrolments
    random_ = random.Random(3)
    for _ in range(12):
        cut = {}
        for number, end in enrolments.items():
            first = random_.randrange(end)
            if random_.random() < 0.7 and end > first:
                cut[number] = (first, random_.randrange(first, end) + 1)
        wanted = [(number, offset) for number in sorted(cut) for offset in range(*cut[number])]
        result = log.read(cut)
        assert [(message.partition, message.offset) for message in result] == wanted
        assert all(event.user for event in read_events(result, MOOC.recommenders[0]))


class Watched:
    """A command whose sentences are read as they come."""

    def __init__(self, *arguments: str):
        self.process = started("continual", "mooc", *OPTIONS, *arguments)
        self.lines: list[str] = []
        self.changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with self.process.stderr as lines:
            for line in lines:
                with self.changed:
                    self.lines.append(line.decode())
                    self.changed.notify_all()

    def until(self, text: str) -> str:
        with self.changed:
            assert self.changed.wait_for(lambda: any(text in line for line in self.lines), 120), self.lines
        return next(line for line in self.lines if text in line)

    def ended(self) -> tuple[int, dict]:
        with self.process.stdout as printed:
            output = printed.read()
        return self.process.wait(120), json.loads(output)


def workers_of(pid: int) -> list[int]:
    """The processes of the group, by the ranks in which they were started; the first child watches for leaks."""
    children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    commands = {one: Path(f"/proc/{one}/cmdline").read_bytes() for one in children}
    return [one for one in children if b"spawn_main" in commands[one]]


def test_stream_is_followed_scraped_killed_stopped_and_resumed_at_exact_offset(enrolments, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MILLRACE_METRICS_PORT", str(port))
    registry = Registry()
    command = Watched()
    command.until("after micro-batch 8, ")
    os.kill(workers_of(command.process.pid)[1], signal.SIGKILL)
    command.until("worker 1 was ended by signal 9")
    command.until("goes on after micro-batch")
    command.until("after micro-batch 16, ")
    exposed = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert 'millrace_continual_prequential_hr_at_10{model="mooc/recommendations"}' in exposed
    assert 'millrace_continual_restarts{model="mooc/recommendations"} 1.0' in exposed
    command.process.terminate()
    code, result = command.ended()
    assert (code, result["signal"], result["restarts"]) == (143, signal.SIGTERM, 1)
    assert result["checkpoint"] == result["batch"] >= 16
    versions = registry.manifests("mooc", "recommendations")
    # Of the versions of one second the order is not known.
    assert sorted(one.parameters["continual"]["batch"] for one in versions)[:2] == [8, 16]

    again = Watched("--until-end")
    code, rest = again.ended()
    assert code == 0, again.lines
    again.until(f"goes on after micro-batch {result['batch']}")
    # Every event once: what is left is less than a micro-batch.
    assert rest["read"] == rest["batch"] * 64
    assert 0 <= sum(enrolments.values()) - rest["read"] < 64
    state = CheckpointStore(registry.store, "mooc", "recommendations", "sasrec").newest(ContinualPlan())
    assert sum(state.progress.positions.values()) == rest["read"]
    assert state.histories.walks
