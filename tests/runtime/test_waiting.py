"""Waiting aloud for a part that is away."""

import math

import pytest

from millrace.errors import BadInputError, UnavailableError
from millrace.runtime.retry import retry_unavailable


def away_until(*answers: str | None):
    """A step that says these reasons in turn and then succeeds."""
    left = list(answers)

    def step() -> str:
        if left and (reason := left.pop(0)):
            raise UnavailableError(reason)
        return "here"

    return step


def test_what_is_there_is_not_waited_for():
    sentences: list[str] = []
    assert retry_unavailable(away_until(), 0, sentences.append) == "here"
    assert sentences == []


def test_each_new_reason_is_said_once():
    sentences: list[str] = []
    assert retry_unavailable(away_until("no broker", "no broker", "no table"), 60, sentences.append, pause=0) == "here"
    assert [line.partition(": ")[2] for line in sentences] == ["no broker", "no table"]
    assert sentences[0].startswith("waiting, 0 of 60 s so far")


def test_a_reason_that_stays_is_said_again():
    sentences: list[str] = []
    retry_unavailable(away_until(*["no broker"] * 3), math.inf, sentences.append, pause=0, again=0)
    assert sentences == ["waiting, 0 s so far: no broker"] * 3


def test_after_its_time_the_last_reason_is_raised():
    with pytest.raises(UnavailableError, match="still away"):
        retry_unavailable(away_until(*["still away"] * 1000), 0.05, lambda _: None, pause=0.01)


def test_other_errors_are_not_waited_out():
    def step() -> None:
        raise BadInputError("no")

    with pytest.raises(BadInputError):
        retry_unavailable(step, 60, lambda _: None)
