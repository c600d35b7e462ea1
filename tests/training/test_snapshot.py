"""What is evaluated is what is trained on: the same events in the same order, read without Spark."""

import numpy as np
import pyarrow as pa

from millrace.evaluation.snapshot import carried, sequences
from millrace.workloads import workload

MOOC, SHOP = workload("mooc"), workload("shop")


def rows(*found: tuple, names: tuple[str, ...]) -> pa.Table:
    kinds = {"price": pa.float64(), "event_time": pa.timestamp("us", "UTC"), "enrolled_at": pa.timestamp("us", "UTC")}
    arrays = {
        name: pa.array([row[place] for row in found], kinds.get(name, pa.string())) for place, name in enumerate(names)
    }
    count = len(found)
    return pa.table(
        arrays | {"kafka_timestamp": range(count), "kafka_partition": [0] * count, "kafka_offset": range(count)}
    )


def test_an_event_without_a_time_stands_behind_the_one_before_it():
    users, at = np.array([0, 1, 0, 1, 0]), np.array([5.0, np.nan, np.nan, 3.0, 1.0])
    assert np.array_equal(carried(users, at), [5, np.nan, 5, 3, 1], equal_nan=True)


def test_without_times_the_order_of_arrival_is_the_order_and_repeats_fall_away():
    table = rows(("U", "B", None), ("U", "A", None), ("V", "A", None), ("U", "B", None), names=MOOC.identity)
    found = sequences(table, MOOC, MOOC.recommenders[0])
    assert [found.item_ids[found[user]].tolist() for user in range(2)] == [["B", "A"], ["A"]]
    assert found.times is None


def test_an_order_without_a_customer_is_a_sequence_of_its_own():
    table = rows(
        ("o1", "p2", 2_000_000, 1.0, None),
        ("o1", "p1", 1_000_000, 1.0, None),
        ("o2", "p1", 3_000_000, 1.0, "u"),
        names=SHOP.identity,
    )
    found = sequences(table, SHOP, SHOP.recommenders[0])
    assert [found.item_ids[found[user]].tolist() for user in range(2)] == [["p1", "p2"], ["p1"]]
    assert found.times.tolist() == [1, 2, 3]
