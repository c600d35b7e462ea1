"""Repeats, changes and conflicts, the same in memory and in SQLite."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from millrace.records.duplicates import DuplicateFilter

STEPS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 2)), max_size=60)


def answers(seen: DuplicateFilter, steps) -> tuple[list[bool], int]:
    report = [seen.repeats((str(thing),), f"{text} {figure}".encode(), (figure,)) for thing, text, figure in steps]
    seen.close()
    return report, seen.conflicts


def naive(steps) -> tuple[list[bool], int]:
    last, conflicted, report = {}, set(), []
    for thing, text, figure in steps:
        report.append(last.get(thing) == (text, figure))
        if thing in last and last[thing][1] != figure:
            conflicted.add(thing)
        last[thing] = (text, figure)
    return report, len(conflicted)


@given(STEPS)
def test_filter_matches_naive_in_memory_implementation(steps):
    assert answers(DuplicateFilter(), steps) == naive(steps)


@given(STEPS)
def test_filter_gives_same_answers_after_moving_to_sqlite(steps):
    assert answers(DuplicateFilter(in_memory=2), steps) == naive(steps)


def test_row_equal_to_latest_of_its_identity_is_a_repeat():
    assert answers(DuplicateFilter(), [(1, 0, 0), (1, 0, 0)]) == ([False, True], 0)


def test_row_equal_to_earlier_state_is_a_change():
    assert answers(DuplicateFilter(), [(1, 0, 0), (1, 1, 0), (1, 0, 0)]) == ([False, False, False], 0)


def test_identity_conflicts_once_however_often_it_changes():
    assert answers(DuplicateFilter(), [(1, 0, 0), (1, 0, 1), (1, 0, 2), (2, 0, 0)])[1] == 1


def test_temporary_file_is_deleted_on_close():
    seen = DuplicateFilter(in_memory=1)
    seen.repeats(("1",), b"", ())
    file = Path(seen._file.name)
    assert file.exists()
    seen.close()
    assert not file.exists()
