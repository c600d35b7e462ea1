"""The supervisor has dead letters written down, where there are new ones, once an hour."""

import sys

import pytest

from millrace.errors import UnavailableError
from millrace.local import dead_letters
from millrace.local.dead_letters import DeadLetterRecorder

SAYING = (sys.executable, "-c", "import sys; print('mooc: 1 written down', file=sys.stderr)")
FAILING = (sys.executable, "-c", "import sys; sys.exit('the lake does not answer')")


class Machine:
    """Its clock, and what is in the topic; `record` counts the commands that were run."""

    def __init__(self) -> None:
        self.now, self.ends, self.runs = 0.0, {0: 0}, 0

    def end_offsets(self, topic: str) -> dict[int, int]:
        if self.ends is None:
            raise UnavailableError("Kafka is starting")
        return self.ends


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    result, run = Machine(), dead_letters.subprocess.run

    def count(*arguments, **options):
        result.runs += 1
        return run(*arguments, **options)

    monkeypatch.setattr(dead_letters, "end_offsets", result.end_offsets)
    monkeypatch.setattr(dead_letters.time, "monotonic", lambda: result.now)
    monkeypatch.setattr(dead_letters.subprocess, "run", count)
    monkeypatch.setattr(dead_letters, "COMMAND", SAYING)
    return result


def test_new_dead_letters_are_written_down_within_an_hour(machine):
    recorder = DeadLetterRecorder()
    assert recorder.record_new() == []
    machine.ends = {0: 7}
    machine.now += 3599
    assert recorder.record_new() == []
    machine.now += 1
    assert recorder.record_new() == ["mooc: 1 written down"]
    machine.now += 3600
    assert recorder.record_new() == []
    assert machine.runs == 1


def test_what_failed_is_said_and_tried_again_after_a_minute(machine, monkeypatch):
    recorder = DeadLetterRecorder()
    machine.ends = None
    with pytest.raises(UnavailableError):
        recorder.record_new()
    machine.ends = {0: 7}
    assert recorder.record_new() == []
    machine.now += 60
    monkeypatch.setattr(dead_letters, "COMMAND", FAILING)
    assert recorder.record_new() == ["the lake does not answer"]
    monkeypatch.setattr(dead_letters, "COMMAND", SAYING)
    machine.now += 60
    assert recorder.record_new() == ["mooc: 1 written down"]
    assert machine.runs == 2
