"""The messages of what events add: how large they are, and which is given again."""

import pytest

from millrace.messaging.topics import MAX_MESSAGE_BYTES
from millrace.online import deltas
from millrace.records.types import ID_LIMIT
from tests.online import made
from tests.online.test_fold import ARRIVED_MS, arrivals, folded, state, world


def test_popularity_is_split_into_messages_that_every_broker_takes(monkeypatch):
    monkeypatch.setattr(deltas, "POPULAR_BLOCK_ITEMS", 16)
    events, split, base, _ = world()
    fold = folded(base, arrivals(events[split:]))
    keys = {key for key in dict(fold.messages()) if "/popular/" in key}
    assert keys == {
        f"{made.MODEL}/{made.VERSION}/popular/{item // 16}" for item in range(made.ITEMS) if any(fold.popularity(item))
    }
    assert len(keys) > 1
    whole = state(fold)
    fold.mark_published()
    fold.add(made.record(3, 39, 9000), (ARRIVED_MS + 10**6, 0, 10**6))
    assert [key for key in dict(fold.messages()) if "/popular/" in key] == [f"{made.MODEL}/{made.VERSION}/popular/2"]
    for _, key in enumerate(keys):
        fold.mark_changed("popular", key.rpartition("/")[2])
    changed = state(fold)[2]
    assert sum(count for _, count in changed.values()) == sum(count for _, count in whole[2].values()) + 1


def test_largest_messages_are_below_the_limit_of_a_message():
    full = 2**31 - 1
    numbers = range(deltas.POPULAR_BLOCK_ITEMS)
    popular = deltas.popularity_message("m/v", 0, {full - number: (full, full) for number in numbers})
    column = deltas.column_message("m/v", full, 0, {full - row: 2**62 for row in range(deltas.BLOCK_ITEMS)})
    user = deltas.user_message("m/v", "U", ["\x01" * ID_LIMIT] * deltas.MAX_TAIL_ITEMS)
    assert max(len(value) for _, value in (popular, column, user)) < MAX_MESSAGE_BYTES / 2


@pytest.mark.parametrize(
    ("kind", "name", "known"),
    [
        ("user", "U02", True),
        ("user", "nobody", False),
        ("user", "anonymous", False),
        ("column", "4.0", True),
        ("column", "4.7", False),
        ("column", "4", False),
        ("column", "x.y", False),
        ("popular", "0", True),
        ("popular", "9", False),
        ("popular", "", False),
        ("popular", "-1", False),
        ("another", "4", False),
    ],
)
def test_overwritten_key_is_given_again_where_something_was_counted_under_it(kind, name, known):
    _, _, base, _ = world()
    fold = folded(base, arrivals([made.record(2, 3, 9000), made.record(2, 4, 9100)]))
    fold.mark_published()
    assert fold.mark_changed(kind, name) is known
    suffix = f"{kind}/{name}"
    assert list(dict(fold.messages())) == ([f"{made.MODEL}/{made.VERSION}/{suffix}"] if known else [])
