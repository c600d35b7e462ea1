"""What is held out is held out: nothing of it reaches a fit, a choice of options or the shares of a blend."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.errors import BadInputError
from millrace.evaluation.split import split_by_time, split_leave_one_out
from millrace.evaluation.table import evaluate_all
from millrace.recommend.sequences import Sequences, number_sequences
from tests.recommend.made import sequences

SEEDS = st.integers(0, 2**32 - 1)


def with_other_tests(interactions: Sequences) -> Sequences:
    """The same sequences, in which everybody who is asked took another item last."""
    items = interactions.items.copy()
    for user in np.flatnonzero(interactions.lengths >= 3):
        new = np.setdiff1d(np.arange(interactions.item_count), interactions[user])
        items[interactions.starts[user + 1] - 1] = new[user % len(new)]
    return Sequences(items, interactions.starts, interactions.item_count, interactions.times, interactions.item_ids)


@given(SEEDS)
def test_leave_one_out_holds_out_last_two_items_per_user_as_targets(seed):
    interactions = sequences(seed)
    split = split_leave_one_out(interactions)
    asked = [user for user in range(len(interactions)) if len(interactions[user]) >= 3]
    assert len(split.validation) == len(split.test) == len(asked)
    for user in range(len(interactions)):
        whole = interactions[user]
        assert split.test.fit[user].tolist() == (whole[:-2] if len(whole) >= 3 else whole).tolist()
    for position, user in enumerate(asked):
        whole = interactions[user].tolist()
        assert split.validation.histories[position].tolist() == whole[:-2]
        assert split.test.histories[position].tolist() == whole[:-1]
        assert [split.validation.targets[position], split.test.targets[position]] == whole[-2:]
    assert split.validation.fit is split.test.fit


@given(SEEDS)
def test_time_split_fits_only_on_data_before_targets(seed):
    interactions = sequences(seed, timed=True)
    split = split_by_time(interactions)
    for fold in (split.validation, split.test):
        last_learnt = fold.fit.times.max()
        for user in range(len(fold)):
            assert fold.targets[user] not in fold.histories[user]
        assert (fold.histories.times <= last_learnt).all()
    assert split.validation.fit.times.max() < split.test.fit.times.max()
    later = np.flatnonzero(interactions.times > split.test.fit.times.max())
    assert set(split.test.targets) <= set(interactions.items[later])


@settings(max_examples=3)
@given(st.integers(0, 1000))
def test_model_selection_never_sees_test_items(seed):
    """Options and shares stay the same when everybody's test item becomes another one."""
    interactions = sequences(seed, users=60, items=14)
    first, other = evaluate_all(interactions, seed=1), evaluate_all(with_other_tests(interactions), seed=1)
    assert {entry["model"]: entry["options"] for entry in first["models"]} == {
        entry["model"]: entry["options"] for entry in other["models"]
    }
    assert [entry["ndcg@10"] for entry in first["models"]] != [entry["ndcg@10"] for entry in other["models"]]


def test_time_split_requires_times():
    with pytest.raises(BadInputError, match="--protocol time needs times, and this source has only an order"):
        split_by_time(sequences(1))


def test_leave_one_out_without_users_of_three_items_is_rejected():
    with pytest.raises(BadInputError, match="No user has the 3 items that leaving two out needs"):
        split_leave_one_out(number_sequences([["a", "b"], ["c"]]))


def test_time_split_without_users_on_both_sides_is_rejected():
    with pytest.raises(BadInputError, match="No user has items on both sides of the split in time"):
        split_by_time(number_sequences([["a"], ["b"], ["c"]], [[1.0], [2.0], [3.0]]))
