"""The model: transitions drawn by hypothesis against the simulated system, and each rule by hand."""

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from millrace.prove.lake_model import LakeRow, explain_count, explain_final
from millrace.prove.model import SWAP_S, Disturbance, Model, Promotion, merge_disturbances
from tests.prove.simulated import Simulation

USERS = st.sampled_from(["anna", "ben"])
POST = frozenset({"post"})


class Driven(RuleBasedStateMachine):
    """Any order of requests and faults; in the end the checker finds nothing in what a right system did."""

    BUG = ""

    def __init__(self):
        super().__init__()
        self.simulation = Simulation(self.BUG)

    @rule(user=USERS, is_written=st.booleans())
    def post(self, user, is_written):
        self.simulation.post(user, is_written)

    @rule(user=USERS)
    def repeat(self, user):
        self.simulation.repeat(user)

    @rule(user=USERS)
    def read(self, user):
        self.simulation.history(user)
        self.simulation.recommend(user)

    @rule(seconds=st.floats(0.1, 8))
    def advance(self, seconds):
        self.simulation.advance(seconds)

    @rule(part=st.sampled_from(["kafka", "online", "connect", "s3"]))
    def break_part(self, part):
        self.simulation.break_part(part)

    @precondition(lambda self: self.simulation.down)
    @rule()
    def heal(self):
        self.simulation.heal()

    def teardown(self):
        verdict = self.simulation.verdict()
        assert verdict.is_proved, verdict.violations[:2]


Driven.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestRightSystem = Driven.TestCase


class DrivenWrongly(Driven):
    BUG = "a record skipped"


def test_hypothesis_finds_a_skipped_record():
    # Without shrinking: that it fails is all that is asked.
    generating = settings(max_examples=100, stateful_step_count=20, deadline=None, phases=[Phase.generate])
    with pytest.raises(AssertionError, match=r"rule='(wrong|stale)'"):
        run_state_machine_as_test(DrivenWrongly, settings=generating)


def model(*disturbances: Disturbance) -> Model:
    """Three events of anna: two acknowledged at 1 and 2, the third sent at 3 and unknown. The deadline is 10 s."""
    made = Model(disturbances, 10.0)
    for at, item in ((1.0, "A"), (2.0, "B"), (3.0, "C")):
        made.post("anna", item, at - 0.5)
        if item != "C":
            made.acknowledge("anna", item, at)
    return made


@pytest.mark.parametrize("items", ["", "A", "AB", "ABC"])
def test_any_prefix_is_serial_before_the_deadline(items):
    assert model().explain_history("anna", list(items), 5, 5.1) is None


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        ("B", "lacks A, which came before"),
        ("AC", "lacks B, which came before"),
        ("BA", "is not in the order"),
        ("AA", "is not in the order"),
        ("AX", "has X, which nobody had posted"),
    ],
)
def test_history_of_no_serial_order_is_wrong(items, sentence):
    finding = model().explain_history("anna", list(items), 5, 5.1)
    assert finding is not None
    assert finding.rule == "wrong"
    assert sentence in finding.sentence


def test_event_that_was_not_acknowledged_may_be_there_or_not_at_any_time():
    for items in ("AB", "ABC"):
        assert model().explain_history("anna", list(items), 99, 99.1) is None


def test_event_is_not_seen_before_it_is_sent():
    finding = model().explain_history("anna", ["A", "B"], 1.0, 1.2)
    assert finding is not None
    assert "B, which nobody had posted" in finding.sentence


def test_acknowledged_event_is_required_after_the_deadline():
    made = model()
    assert made.explain_history("anna", ["A"], 12.0, 12.1) is None
    finding = made.explain_history("anna", ["A"], 12.1, 12.2)
    assert finding is not None
    assert finding.rule == "stale"
    assert "lacks B, acknowledged 10.1 s before" in finding.sentence
    assert made.explain_recommendations("anna", {"B", "X"}, 12.1) is not None
    assert made.explain_recommendations("anna", {"X"}, 12.1) is None


def test_clock_of_the_deadline_stands_still_in_a_disturbance():
    made = model(Disturbance(5, 20, POST, stale=True), Disturbance(25, 40, POST, stale=True))
    assert made.due_at(1.0) == 50.0
    assert made.explain_history("anna", [], 49.9, 50) is None
    assert made.explain_history("anna", [], 50.1, 50.2) is not None
    assert model(Disturbance(5, 20, POST, stale=False)).due_at(1.0) == 11.0


def test_answer_asked_for_in_a_later_disturbance_may_be_old():
    made = model(Disturbance(30, 40, POST, stale=True))
    assert made.explain_history("anna", ["A", "B"], 29, 29.1) is None
    assert made.explain_history("anna", [], 29, 29.1) is not None
    assert made.explain_history("anna", [], 35, 35.1) is None


def test_second_acknowledgement_moves_no_deadline():
    made = model()
    made.acknowledge("anna", "A", 100)
    assert made.explain_history("anna", [], 50, 50.1) is not None


def test_overlapping_disturbances_are_one_that_excuses_what_any_does():
    merged = merge_disturbances(
        [Disturbance(8, 9, POST, False), Disturbance(1, 5, POST, False), Disturbance(4, 7, frozenset({"read"}), True)]
    )
    assert merged == [Disturbance(1, 7, POST | {"read"}, True), Disturbance(8, 9, POST, False)]


def test_failure_is_excused_by_a_disturbance_it_overlaps_and_that_names_its_action():
    made = model(Disturbance(5, 10, POST, False))
    assert made.explain_failure("post", 1, 5.5) is None
    assert made.explain_failure("post", 9.9, 30) is None
    assert made.explain_failure("post", 10.1, 30) is not None
    assert made.explain_failure("read", 6, 7) is not None


def test_version_may_be_old_until_the_promotion_is_due():
    promotions = [Promotion("v1", 0, 0.0), Promotion("v2", 10, 11.0), Promotion("v3", 30, None)]
    due = 11 + SWAP_S + 10
    made = model()
    assert made.explain_version("v1", promotions, due) is None
    assert made.explain_version("v1", promotions, due + 0.1) is not None
    assert made.explain_version("v2", promotions, 9) is not None
    for version in ("v2", "v3"):
        assert made.explain_version(version, promotions, due + 50) is None


def rows(*items: str) -> list[LakeRow]:
    return [
        LakeRow(f"id {item}", 0, index, "anna", item, f"2026-11-01T00:00:0{index}") for index, item in enumerate(items)
    ]


def test_count_is_of_different_events():
    twice = [*rows("A", "B"), LakeRow("other id", 0, 9, "anna", "A", "2026-11-01T00:00:00")]
    assert explain_count(2, twice) is None
    finding = explain_count(3, twice)
    assert finding is not None
    assert finding.sentence == "3 events are counted; the lake has 2 different ones"


def test_final_history_is_what_the_lake_has_in_order_of_time():
    assert explain_final("anna", ["A", "B"], rows("A", "B")[::-1]) is None
    assert explain_final("anna", ["A"], rows("A", "B")) is not None
    assert explain_final("ben", [], rows("A")) is None
