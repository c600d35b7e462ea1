"""The checker over the simulated system: every kind of fault is found, and a system without one is proved."""

import random

import orjson
import pytest

from millrace.prove.checker import MAX_PER_RULE, Observation, check, find_disturbances
from millrace.prove.history import HEALTHY, UNSETTLED, History, Reply
from millrace.prove.lake_model import LakeRow
from tests.prove.simulated import BUGS, Simulation

USERS = ("anna", "ben", "cem")


def drive(simulation: Simulation, seed: int, steps: int = 120) -> Simulation:
    """Posts, reads and broken parts in an order that the seed draws."""
    dice = random.Random(seed)
    for step in range(steps):
        user = dice.choice(USERS)
        deed = dice.choices(
            ["post", "history", "recommend", "advance", "repeat", "invalid", "break", "heal"],
            [8, 8, 3, 6, 2, 1, 1, 1],
        )[0]
        if deed == "post" and simulation.sent[user] < 25:
            simulation.post(user, dice.random() < 0.5)
        elif deed == "advance":
            simulation.advance(dice.uniform(0.2, 3))
        elif deed == "break":
            simulation.break_part(dice.choice(("kafka", "online", "connect")))
        elif deed == "heal":
            simulation.heal()
        elif deed == "invalid":
            simulation.post_invalid(user)
        elif deed != "post":
            getattr(simulation, deed)(user)
        if step == steps // 2:
            simulation.promote()
    return simulation


@pytest.mark.parametrize("seed", range(25))
def test_system_without_fault_is_proved(seed):
    verdict = drive(Simulation(), seed).verdict()
    assert verdict.is_proved, verdict.violations[:3]
    assert verdict.counts["events acknowledged"] == verdict.counts["events"] > 0
    assert verdict.counts["final histories"] == len(USERS)


@pytest.mark.parametrize("bug", BUGS)
def test_every_fault_of_a_system_is_found_under_the_rule_it_breaks(bug):
    simulation = drive(Simulation(bug), 11)
    simulation.break_part("kafka")
    simulation.post("anna")
    simulation.history("anna")
    simulation.heal()
    simulation.post_invalid("anna")
    verdict = simulation.verdict()
    assert BUGS[bug] in verdict.totals, verdict.totals
    assert all(violation.sentence for violation in verdict.violations)


def test_violation_of_a_request_shows_the_request_and_the_faults_before_it():
    simulation = Simulation("500 while Kafka is down")
    simulation.break_part("kafka")
    simulation.post("anna")
    verdict = check(Observation(simulation.read(), []))
    assert verdict.totals == {"failed": 1}
    (violation,) = verdict.violations
    assert violation.sentence == "post was answered 500, which is never right"
    request, fault = violation.evidence
    assert request["operation"]["status"] == 500
    assert (fault["fault"]["kind"], fault["fault"]["target"]) == ("pause", "kafka")


def test_lost_event_is_reported_with_its_acknowledgement():
    simulation = Simulation()
    simulation.post("anna")
    verdict = check(Observation(simulation.read(), []))
    assert verdict.totals == {"lost": 1}
    assert "was acknowledged and is not in the lake" in verdict.violations[0].sentence
    assert verdict.violations[0].evidence[0]["operation"]["response"]["positions"][0]["offset"] == 0


def test_row_at_another_position_than_acknowledged_does_not_replace_it():
    simulation = Simulation()
    simulation.post("anna")
    (row,) = simulation.log
    moved = type(row)(row.record_id, row.partition, row.offset + 1, row.user, row.item, row.at)
    assert check(Observation(simulation.read(), [moved])).totals == {"lost": 1}


def test_ingested_rows_must_all_be_there_and_may_be_there_twice():
    simulation = Simulation()
    rows = [{"user_id": "file", "course_id": item} for item in ("C1", "C2")]
    simulation.recorder.perform("ingest", "ingest", "file-0", {"rows": rows}, lambda: Reply(200))
    landed = [LakeRow(f"id {item}", 0, offset, "file", item, None) for offset, item in enumerate(("C1", "C2", "C1"))]
    assert check(Observation(simulation.read(), landed)).is_proved
    assert check(Observation(simulation.read(), landed[:1])).totals == {"lost": 1}


def test_failure_is_excused_until_the_stack_is_healthy_and_not_longer():
    simulation = Simulation()
    simulation.break_part("kafka")
    simulation.post("anna", is_written=False)
    simulation.heal()
    excused = check(Observation(simulation.read(), []))
    assert excused.is_proved
    simulation.advance(0.1)
    simulation.recorder.perform("client", "post", "anna", [], lambda: Reply(503))
    assert check(Observation(simulation.read(), [])).totals == {"failed": 1}


def test_no_fault_excuses_a_lasting_failure_beyond_its_time_for_recovery():
    simulation = Simulation()
    simulation.break_part("kafka")
    number = simulation.down.pop("kafka")
    simulation.recorder.fault(number, "end", "pause", "kafka")
    simulation.advance(91)
    simulation.recorder.perform("client", "post", "anna", [], lambda: Reply(503))
    assert check(Observation(simulation.read(), [])).totals == {"failed": 1}


def test_look_from_before_the_end_of_a_fault_does_not_end_its_excuse():
    lines = [
        {"at": 1.0, "line": "fault", "number": 0, "phase": "begin", "kind": "pause", "target": "kafka"},
        {"at": 5.0, "line": "fault", "number": 0, "phase": "end", "kind": "pause", "target": "kafka"},
        {"at": 5.5, "line": "mark", "name": HEALTHY, "value": 4.9},
        {"at": 7.5, "line": "mark", "name": HEALTHY, "value": 7.0},
    ]
    (disturbance,) = find_disturbances(History.from_lines(map(orjson.dumps, lines)))
    assert (disturbance.begin, disturbance.end) == (1.0, 7.5)


def test_unsettled_stack_is_a_violation_and_its_unread_lake_is_not_taken_for_empty():
    simulation = Simulation()
    simulation.post("anna")
    simulation.recorder.mark(UNSETTLED, "12 records have not landed")
    verdict = check(Observation(simulation.read(), None))
    assert verdict.totals == {"unsettled": 1}
    assert verdict.violations[0].sentence == "12 records have not landed"


def test_violations_that_say_the_same_are_counted_and_only_the_first_are_kept():
    simulation = Simulation()
    for _ in range(MAX_PER_RULE + 5):
        simulation.recorder.perform("client", "ready", "", None, lambda: Reply(500))
    verdict = check(Observation(simulation.read(), []))
    assert verdict.totals == {"failed": MAX_PER_RULE + 5}
    assert len(verdict.violations) == MAX_PER_RULE


def test_request_that_was_under_way_at_the_end_breaks_no_rule():
    lines = [
        b'{"at": 1.0, "line": "invoke", "id": 0, "client": "a", "action": "history", "user": "u", "request": null}'
    ]
    verdict = check(Observation(History.from_lines(lines), []))
    assert verdict.is_proved
    assert verdict.counts["history pending"] == 1
