"""Waiting for a dependency that is unavailable, with reports in the log."""

import logging
import math
from types import SimpleNamespace

import pytest

from millrace.errors import BadInputError, UnavailableError
from millrace.runtime.retry import RepeatFilter, retry_unavailable


def away_until(*answers: str | None):
    """A step that says these reasons in turn and then succeeds."""
    left = list(answers)

    def step() -> str:
        if left and (reason := left.pop(0)):
            raise UnavailableError(reason)
        return "here"

    return step


@pytest.fixture(autouse=True)
def _progress_is_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "millrace")


def test_available_dependency_is_not_waited_for(caplog: pytest.LogCaptureFixture):
    assert retry_unavailable(away_until(), 0) == "here"
    assert caplog.messages == []


def test_each_new_reason_is_logged_once(caplog: pytest.LogCaptureFixture):
    assert retry_unavailable(away_until("no broker", "no broker", "no table"), 60, delay_s=0) == "here"
    assert [line.partition(": ")[2] for line in caplog.messages] == ["no broker", "no table"]
    assert caplog.messages[0].startswith("waiting, 0 of 60 s so far")


def test_persistent_reason_is_logged_again(caplog: pytest.LogCaptureFixture):
    retry_unavailable(away_until(*["no broker"] * 3), math.inf, delay_s=0, report_interval_s=0)
    assert caplog.messages == ["waiting, 0 s so far: no broker"] * 3


def test_last_reason_is_raised_on_timeout():
    with pytest.raises(UnavailableError, match="still away"):
        retry_unavailable(away_until(*["still away"] * 1000), 0.05, delay_s=0.01)


def test_other_errors_are_not_retried():
    def step() -> None:
        raise BadInputError("no")

    with pytest.raises(BadInputError):
        retry_unavailable(step, 60)


def test_lasting_fault_passes_once_until_another_one_or_a_reset():
    faults = RepeatFilter()
    assert [faults.passes(text) for text in ("no broker", "no broker", "no table", "no broker")] == [
        True,
        False,
        True,
        True,
    ]
    faults.reset()
    assert faults.passes("no broker")


def test_lasting_fault_passes_again_after_the_interval(monkeypatch: pytest.MonkeyPatch):
    times = iter([0.0, 29.0, 30.0, 59.0, 60.0])
    monkeypatch.setattr("millrace.runtime.retry.time", SimpleNamespace(monotonic=lambda: next(times)))
    faults = RepeatFilter(interval_s=30)
    assert [faults.passes("no broker") for _ in range(5)] == [True, False, True, False, True]
