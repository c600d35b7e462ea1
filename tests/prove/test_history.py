"""The recorder's lines, and a history read from them."""

import io
import threading

import pytest

from millrace.prove.history import History, Recorder, Reply


def record() -> tuple[Recorder, io.StringIO, list[float]]:
    """A recorder, what it writes, and its clock."""
    target, now = io.StringIO(), [100.0]
    return Recorder(target, lambda: now[0]), target, now


def lines(target: io.StringIO) -> list[str]:
    return target.getvalue().splitlines()


def test_history_is_read_as_it_was_recorded():
    recorder, target, now = record()
    now[0] += 1
    recorder.mark("promotion", {"version": "v1"})

    def answer() -> Reply:
        now[0] += 0.25
        return Reply(202, {"accepted": 1})

    recorder.perform("poster-0", "post", "anna", [{"course_id": "C"}], answer)
    recorder.fault(0, "begin", "kill", "kafka")
    recorder.fault(0, "failed", "kill", "kafka", "it does not run")
    history = History.from_lines(lines(target))
    (operation,) = history.operations
    assert (operation.client, operation.action, operation.user) == ("poster-0", "post", "anna")
    assert (operation.invoked_at, operation.completed_at) == (1.0, 1.25)
    assert (operation.outcome, operation.status, operation.response) == ("done", 202, {"accepted": 1})
    assert [(line.at, line.phase, line.note) for line in history.faults] == [
        (1.25, "begin", ""),
        (1.25, "failed", "it does not run"),
    ]
    assert [(mark.name, mark.value) for mark in history.marks] == [("promotion", {"version": "v1"})]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "done"), (202, "done"), (503, "unknown"), (None, "unknown"), (500, "refused"), (422, "refused")],
)
def test_outcome_follows_from_the_status(status, outcome):
    assert Reply(status).outcome == outcome


def test_call_that_raises_is_recorded_as_unknown():
    recorder, target, _ = record()
    with pytest.raises(ZeroDivisionError):
        recorder.perform("a", "post", "u", [], lambda: 1 // 0)
    assert History.from_lines(lines(target)).operations[0].outcome == "unknown"


def test_history_of_a_killed_recorder_ends_with_its_last_whole_line():
    recorder, target, _ = record()
    recorder.perform("a", "history", "u", None, lambda: Reply(200))
    recorder.perform("a", "history", "u", None, lambda: Reply(200))
    text = target.getvalue()
    history = History.from_lines(text[: len(text) - 30].splitlines())
    assert [operation.outcome for operation in history.operations] == ["done", "pending"]


def test_lines_of_many_threads_are_whole_and_in_the_order_of_their_times():
    target = io.StringIO()
    recorder = Recorder(target)

    def work() -> None:
        for _ in range(50):
            recorder.perform("a", "ready", "", None, lambda: Reply(200))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = History.from_lines(lines(target))
    assert len(history.operations) == 200
    times = [operation.invoked_at for operation in sorted(history.operations, key=lambda operation: operation.id)]
    assert times == sorted(times)
    assert recorder.last_done("ready") > 0
    assert recorder.last_done("post") == float("-inf")
