"""Rates as people write them, and a file replayed at one."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import BadInputError
from millrace.ingest import pace
from millrace.ingest.pace import parse_rate, throttle


@pytest.mark.parametrize(
    ("text", "per_second"), [("100", 100), ("100/s", 100), ("30/m", 0.5), ("9/h", 0.0025), (" 0.5/s ", 0.5)]
)
def test_rate_is_parsed_as_rows_per_second(text, per_second):
    assert parse_rate(text) == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["", "0", "0/s", "-1/s", "fast", "1/d", "nan", "inf", "1e3/s", "/s", "9" * 400])
def test_invalid_rate_is_rejected_with_example(text):
    with pytest.raises(BadInputError, match="is not a rate; allowed: ") as refused:
        parse_rate(text)
    assert refused.value.field == "rate"


@given(st.text(max_size=12))
def test_any_text_parses_to_positive_rate_or_raises_bad_input(text):
    with contextlib.suppress(BadInputError):
        assert parse_rate(text) > 0


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(pace.time, "monotonic", lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_items_arrive_in_order_at_a_steady_rate(monkeypatch):
    clock = Clock(monkeypatch)
    arrivals = [(item, clock.now) for item in throttle("abcd", 4, sleep=clock.sleep)]
    assert arrivals == [("a", 0), ("b", 0.25), ("c", 0.5), ("d", 0.75)]


def test_throttle_catches_up_after_slow_reader_and_keeps_rate(monkeypatch):
    clock = Clock(monkeypatch)
    arrivals = []
    for item in throttle(range(6), 1, sleep=clock.sleep):
        arrivals.append(clock.now)
        clock.now += 3 if item == 0 else 0
    assert arrivals == [0, 3, 3, 3, 4, 5]


def test_random_pauses_average_to_the_rate(monkeypatch):
    clock = Clock(monkeypatch)
    pace.random.seed(1)
    arrivals = [clock.now for _ in throttle(range(4000), 10, random_pauses=True, sleep=clock.sleep)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    assert sum(pauses) / len(pauses) == pytest.approx(0.1, rel=0.1)
    assert max(pauses) > 0.4
    assert min(pauses) < 0.01
