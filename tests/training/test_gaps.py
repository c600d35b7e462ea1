"""Missing offsets and a training, without Spark: what explains them is written down, others are refused."""

import pytest

from millrace.errors import CorruptError
from millrace.lake.gaps import read_gaps
from millrace.lake.offset_ranges import OffsetRange
from millrace.training import maintenance
from millrace.training.context import TrainingContext
from millrace.training.offsets import OffsetAudit
from millrace.training.options import TrainingOptions
from tests.local_lake import MOOC


@pytest.fixture
def check(local_lake, dead_letters, monkeypatch):
    """Check a snapshot of offsets 0 to 9999 that lacks these, as a training does."""
    monkeypatch.setattr(TrainingContext, "_find_read_offsets", lambda self: {"0": (0, 9000)})

    def run(*gaps: tuple[int, int, int], last: int = 9999, accept_gaps: bool = False) -> None:
        context = TrainingContext.__new__(TrainingContext)
        context.workload, context.options = MOOC, TrainingOptions(accept_gaps=accept_gaps)
        context.audit = OffsetAudit({"0": (0, last)}, 0, [OffsetRange(*gap) for gap in gaps])
        context._check_offsets()

    return run


def test_training_goes_on_after_kafka_has_forgotten_a_dead_letter(check, dead_letters):
    dead_letters.append(("mooc.records", 0, 4711))
    check((0, 4711, 4711))
    dead_letters.clear()
    check((0, 4711, 4711))


def test_workload_that_is_not_trained_goes_on_after_kafka_has_forgotten_a_dead_letter(check, dead_letters):
    dead_letters.append(("mooc.records", 0, 4711))
    maintenance.remember_dead_letters([MOOC])
    dead_letters.clear()
    check((0, 4711, 4711))


def test_gap_behind_a_thousand_dead_letters_is_refused(check, dead_letters):
    dead_letters += [("mooc.records", 0, offset) for offset in range(100, 1101)]
    with pytest.raises(CorruptError, match="3900 in all, the first gap is partition 0 offsets 1101 to 5000"):
        check((0, 100, 5000))


@pytest.mark.parametrize("gap", [(0, 0, 99), (0, 4711, 4711)], ids=["first offset above 0", "poisoned message"])
def test_gap_is_accepted_once_and_others_are_refused(check, gap):
    with pytest.raises(CorruptError, match="--accept-gaps"):
        check(gap)
    check(gap, accept_gaps=True)
    check(gap)
    with pytest.raises(CorruptError, match="1 in all, the first gap is partition 0 offset 7000"):
        check(gap, (0, 7000, 7000))


def test_accepting_gaps_does_not_accept_that_rows_are_gone(check):
    with pytest.raises(CorruptError, match="up to partition 0 offset 9000; the lake now ends at 500"):
        check((0, 100, 200), last=500, accept_gaps=True)
    assert read_gaps(MOOC) == []
