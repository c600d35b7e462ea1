"""Schedules: drawn from a seed, kept as JSON, shrunk to the shortest that fails."""

from collections import defaultdict

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.errors import BadInputError
from millrace.local.connect import PROPERTIES
from millrace.prove.faults.kinds import BY_NAME, EFFECTS, KINDS, PROXY_MODES
from millrace.prove.faults.proxy import Mode
from millrace.prove.schedule import MIN_SECONDS, Fault, Schedule, generate, load, parse
from millrace.prove.shrink import shrink


def test_same_seed_gives_same_schedule_and_another_seed_another():
    assert generate(7, 600) == generate(7, 600)
    assert generate(7, 600).faults != generate(8, 600).faults


def test_seed_means_the_same_faults_in_later_releases():
    """Seeds stand in docs/proofs.md. A change of the kinds changes what they mean: then the table is to be run anew."""
    faults = [(fault.kind, fault.target, fault.begin) for fault in generate(7, 60).faults]
    assert faults[:3] == [("pause", "s3", 3.0), ("refuse", "kafka", 22.21), ("reset", "s3", 31.01)]


@pytest.mark.parametrize("seed", range(20))
def test_faults_are_of_declared_kinds_within_the_run_and_never_two_of_a_target_at_once(seed):
    schedule = generate(seed, 300)
    assert len(schedule.faults) > 10
    ends = defaultdict(float)
    for fault in schedule.faults:
        kind = BY_NAME[fault.kind]
        assert fault.target in kind.targets
        assert fault.seconds <= kind.seconds[1]
        assert ends[fault.target] <= fault.begin <= fault.end <= schedule.seconds
        ends[fault.target] = fault.end


def test_every_kind_is_drawn_by_some_seed_and_every_target_has_an_effect():
    drawn = {(fault.kind, fault.target) for seed in range(40) for fault in generate(seed, 600).faults}
    assert drawn == {(kind.name, target) for kind in KINDS for target in kind.targets}
    assert {target for _, target in drawn} <= EFFECTS.keys()
    assert set(PROXY_MODES) == {mode.value for mode in Mode} - {"pass"}


def test_pause_lasts_longer_than_kafkas_session_timeout():
    assert BY_NAME["pause"].seconds[0] * 1000 > PROPERTIES["session.timeout.ms"]


def test_saved_schedule_is_loaded_as_it_was(tmp_path):
    schedule = generate(3, 120)
    schedule.save(tmp_path / "schedule.json")
    assert load(tmp_path / "schedule.json") == schedule


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "format: 2 is not usable; allowed: 1"),
        ({"seconds": 1}, "A run of 1 seconds is not usable; allowed: 10 to"),
        ({"faults": [{"kind": "melt", "target": "s3", "begin": 1, "seconds": 1}]}, r"faults\[0\].kind: 'melt'"),
        ({"faults": [{"kind": "kill", "target": "moon", "begin": 1, "seconds": 1}]}, r"faults\[0\].target: 'moon'"),
        ({"faults": [{"kind": "kill", "target": "s3", "begin": -1, "seconds": 1}]}, r"faults\[0\]: \[-1.0, 1.0\]"),
        ({"faults": [{"kind": "kill"}]}, "KeyError: 'target'"),
        ({"faults": 3}, "TypeError"),
    ],
)
def test_unusable_schedule_is_refused_with_field_and_value(change, sentence):
    with pytest.raises(BadInputError, match=sentence):
        parse(orjson.dumps(generate(1, 60).to_json() | change))


def test_file_that_is_no_schedule_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("[1")
    with pytest.raises(BadInputError, match=r"x.json is not usable .*allowed: a schedule as"):
        load(tmp_path / "x.json")
    with pytest.raises(BadInputError, match="can't be read: No such file"):
        load(tmp_path / "none.json")


FAULTS = tuple(Fault("pause", "connect", 20.0 * number, 15.0) for number in range(12))


def failing_with(*needed: Fault):
    """Whether a schedule has all the needed faults, whatever they last; and how often that was asked."""
    asked = []

    def fails(schedule: Schedule) -> bool:
        asked.append(schedule)
        return {fault.begin for fault in needed} <= {fault.begin for fault in schedule.faults}

    return fails, asked


@settings(max_examples=25)
@given(st.sets(st.integers(0, 11), min_size=0, max_size=4))
def test_shrinking_leaves_exactly_the_faults_that_are_needed(needed):
    fails, _ = failing_with(*(FAULTS[number] for number in needed))
    shortest = shrink(Schedule(1, 300.0, FAULTS), fails, 500)
    assert [fault.begin for fault in shortest.faults] == [FAULTS[number].begin for number in sorted(needed)]
    assert all(fault.seconds == BY_NAME["pause"].seconds[0] for fault in shortest.faults)
    assert shortest.seconds == max(MIN_SECONDS, max((fault.end for fault in shortest.faults), default=0) + 5)


def test_shrinking_keeps_a_duration_that_is_needed():
    def fails(schedule: Schedule) -> bool:
        return any(fault.seconds >= 15 for fault in schedule.faults)

    shortest = shrink(Schedule(1, 300.0, FAULTS), fails, 500)
    assert [fault.seconds for fault in shortest.faults] == [15.0]


def test_shrinking_runs_no_schedule_twice_and_stops_when_its_runs_are_spent():
    fails, asked = failing_with(FAULTS[1], FAULTS[10])
    shrink(Schedule(1, 300.0, FAULTS), fails, 500)
    assert len(asked) == len(set(asked)) < 40
    fails, asked = failing_with(FAULTS[1], FAULTS[10])
    partial = shrink(Schedule(1, 300.0, FAULTS), fails, 3)
    assert len(asked) == 3
    assert {FAULTS[1].begin, FAULTS[10].begin} <= {fault.begin for fault in partial.faults}
