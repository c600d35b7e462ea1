"""Windows, paces and gaps: what a training reads and when, without a Spark session."""

import pytest

from millrace.errors import BadInputError, CorruptError
from millrace.lake.offset_ranges import OffsetRange
from millrace.lake.sink import find_cause
from millrace.training.offsets import OffsetAudit, check_audit, window_bounds
from millrace.training.options import Pace


def test_windows_are_cumulative_shares_of_each_partition():
    ranges = {"0": (0, 8), "1": (3, 5), "2": (0, 0)}
    assert window_bounds(ranges, "1/3") == {"0": (0, 2), "1": (3, 3)}
    assert window_bounds(ranges, "2/3") == {"0": (0, 5), "1": (3, 4)}
    assert window_bounds(ranges, "all") == ranges


@pytest.mark.parametrize(
    ("text", "pace"),
    [("1000rows", Pace(rows=1000)), ("1row", Pace(rows=1)), ("10m", Pace(seconds=600)), ("2h", Pace(seconds=7200))],
)
def test_pace_is_row_count_or_duration(text, pace):
    assert Pace.parse(text) == pace


@pytest.mark.parametrize("text", ["", "0rows", "0s", "10", "-5m", "often", "1.5h", "10 parsecs"])
def test_invalid_pace_is_rejected_with_allowed_values(text):
    with pytest.raises(BadInputError, match="allowed: rows such as 1000rows, or a time such as 30s, 10m, 6h"):
        Pace.parse(text)


def test_gap_is_reported_by_its_offsets_unless_it_is_explained():
    audit = OffsetAudit({"0": (0, 9)}, 0, [OffsetRange(0, 4, 5)])
    with pytest.raises(CorruptError, match=r"5 in all, the first gap is partition 0 offsets 4 to 5\. .*--accept-gaps"):
        check_audit(audit, "courses", {}, [(0, 4, 5), (1, 0, 2)])
    with pytest.raises(CorruptError, match="1 in all, the first gap is partition 0 offset 5") as caught:
        check_audit(audit, "courses", {}, [(0, 5, 5)])
    assert (caught.value.code, caught.value.field) == ("offset_gap", "0/5")
    check_audit(audit, "courses", {}, [])


def test_lake_that_has_shrunk_is_rejected_whatever_is_accepted():
    audit = OffsetAudit({"0": (0, 9)}, 0, [])
    check_audit(audit, "courses", {"0": (0, 9)}, [])
    with pytest.raises(CorruptError, match="up to partition 1 offset 3; the lake now ends at -1") as caught:
        check_audit(audit, "courses", {"1": (0, 3)}, [(0, 2, 2)])
    assert caught.value.code == "offset_loss"


def test_cause_of_stack_trace_is_its_innermost_exception():
    trace = "a.ConnectException: outer\n\tat x\nCaused by: java.lang.Number: inner 'many'\n\tat y\n\t... 3 more\n"
    assert find_cause(trace) == "java.lang.Number: inner 'many'"
    assert find_cause("") is None
