"""What is evaluated is what is trained on: the same events in the same order, read without Spark."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from millrace.evaluation.snapshot import carry_forward, make_sequences
from millrace.recommend.popularity import rank_popular
from millrace.records.times import MARGIN_US, to_micros
from millrace.workloads import find_workload

MOOC, SHOP = find_workload("mooc"), find_workload("shop")
ARRIVED_US = to_micros(datetime(2026, 1, 1, tzinfo=UTC))
BOUGHT_US = to_micros(datetime(2020, 1, 1, tzinfo=UTC))


def rows(*result: tuple, names: tuple[str, ...]) -> pa.Table:
    kinds = {"price": pa.float64(), "event_time": pa.timestamp("us", "UTC"), "enrolled_at": pa.timestamp("us", "UTC")}
    arrays = {
        name: pa.array([row[position] for row in result], kinds.get(name, pa.string()))
        for position, name in enumerate(names)
    }
    count = len(result)
    arrived = pa.array([ARRIVED_US + number for number in range(count)], pa.timestamp("us", "UTC"))
    return pa.table(arrays | {"kafka_timestamp": arrived, "kafka_partition": [0] * count, "kafka_offset": range(count)})


def test_undated_event_is_ordered_after_its_predecessor():
    users, at = np.array([0, 1, 0, 1, 0]), np.array([5.0, np.nan, np.nan, 3.0, 1.0])
    assert np.array_equal(carry_forward(users, at), [5, np.nan, 5, 3, 1], equal_nan=True)


def test_undated_events_keep_arrival_order_and_drop_repeats():
    table = rows(("U", "B", None), ("U", "A", None), ("V", "A", None), ("U", "B", None), names=MOOC.identity)
    interactions = make_sequences(table, MOOC, MOOC.recommenders[0])
    assert [interactions.item_ids[interactions[user]].tolist() for user in range(2)] == [["B", "A"], ["A"]]
    assert interactions.times is None


def test_order_without_customer_is_a_separate_sequence():
    table = rows(
        ("o1", "p2", BOUGHT_US + 2_000_000, 1.0, None),
        ("o1", "p1", BOUGHT_US + 1_000_000, 1.0, None),
        ("o2", "p1", BOUGHT_US + 3_000_000, 1.0, "u"),
        names=SHOP.identity,
    )
    interactions = make_sequences(table, SHOP, SHOP.recommenders[0])
    assert [interactions.item_ids[interactions[user]].tolist() for user in range(2)] == [["p1", "p2"], ["p1"]]
    assert (interactions.times - BOUGHT_US / 1e6).tolist() == [1, 2, 3]


def test_time_after_arrival_is_unknown_and_does_not_move_window_or_its_end():
    good = [("U", "A", BOUGHT_US), ("V", "A", BOUGHT_US + 1_000_000), ("V", "B", BOUGHT_US + 2_000_000)]
    poisoned = [*good, ("Z", "odd", to_micros(datetime(2099, 12, 31, tzinfo=UTC))), ("Z", "old", -1)]
    model = MOOC.recommenders[0]
    plain, result = (make_sequences(rows(*one, names=MOOC.identity), MOOC, model) for one in (good, poisoned))
    assert result.times.max() == plain.times.max()
    assert result.times.min() == plain.times.min()
    assert rank_popular(result, 3600.0).tolist()[:2] == rank_popular(plain, 3600.0).tolist() == [0, 1]
    same = make_sequences(rows(*good, ("Z", "odd", None), ("Z", "old", None), names=MOOC.identity), MOOC, model)
    assert result.times.tolist() == same.times.tolist()
    assert result.items.tolist() == same.items.tolist()


def test_time_up_to_margin_after_arrival_is_accepted_to_the_microsecond():
    # Of these rows the third arrives two microseconds after ARRIVED_US.
    edge = ARRIVED_US + 2 + MARGIN_US
    for late in (0, 1):
        table = rows(("U", "A", BOUGHT_US), ("U", "B", BOUGHT_US), ("U", "C", edge + late), names=MOOC.identity)
        interactions = make_sequences(table, MOOC, MOOC.recommenders[0])
        assert interactions.times.max() == (BOUGHT_US if late else edge) / 1e6
