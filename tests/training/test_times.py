"""A time that can't be true of when it arrived is unknown to every training, as it is in memory."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pyspark.sql import DataFrame

from millrace.analytics.sales import UNDATED
from millrace.evaluation.snapshot import make_sequences
from millrace.records.times import MARGIN_S
from millrace.training import dataset, events
from millrace.training.recommender import counting
from millrace.training.recommender.counting import DAY_S, TimeDecay
from millrace.training.sales import tables as sales
from millrace.workloads import find_workload
from tests.training.landed import landed

MOOC, SHOP, COURSES = find_workload("mooc"), find_workload("shop"), find_workload("courses")
ARRIVED = datetime(2023, 11, 20, tzinfo=UTC)  # after all that `landed` gives
EDGE = ARRIVED + timedelta(seconds=MARGIN_S)
LATE = [EDGE + timedelta(microseconds=1), datetime(2099, 12, 31, tzinfo=UTC), datetime(1969, 7, 20, tzinfo=UTC)]


def with_times(frame: DataFrame, rows: list[dict], field: str, moments: list[datetime | None], **more) -> DataFrame:
    """The frame with an event of its own for each moment, of a new user, item and order."""
    changes = [
        {field: at, "kafka_timestamp": ARRIVED, "kafka_offset": 100_000 + number}
        | {name: f"{value}{number}" for name, value in more.items()}
        for number, at in enumerate(moments)
    ]
    added = [[(rows[0] | change)[name] for name in frame.columns] for change in changes]
    return frame.union(frame.sparkSession.createDataFrame(added, frame.schema))


@pytest.fixture(scope="module")
def enrolments(spark):
    """(frame, rows) of generated enrolments."""
    frame, rows, _ = landed(spark, MOOC, 300)
    return frame.cache(), rows


def counted(spark, frame: DataFrame, half_life_s: float = 60 * DAY_S) -> tuple[events.EventSet, np.ndarray, np.ndarray]:
    """The events, popularity of the last 30 days, and time-weighted popularity of all time."""
    result = events.prepare_events(spark, frame, MOOC, MOOC.recommenders[0])
    assert result.newest is not None
    assert result.oldest is not None
    rows = events.group_by_user(result.rows).cache()
    lately, _ = counting.count_popularity(rows, len(result.item_ids), [result.newest - 30 * DAY_S])
    decay = TimeDecay(result.newest, half_life_s, result.oldest)
    return result, lately, counting.count_popularity(rows, len(result.item_ids), [], decay)[0]


def test_future_events_do_not_affect_windows_or_weights(spark, enrolments):
    frame, rows = enrolments
    plain, lately, weighted = counted(spark, frame)
    poisoned = with_times(frame, rows, "enrolled_at", LATE, user_id="Z-odd-", course_id="Z-odd-")
    result, lately_too, weighted_too = counted(spark, poisoned)
    assert (result.newest, result.oldest, result.implausible) == (plain.newest, plain.oldest, len(LATE))
    known = len(plain.item_ids)
    assert result.item_ids[:known] == plain.item_ids, "the odd ones are the last"
    np.testing.assert_allclose(lately_too[:known], lately)
    np.testing.assert_allclose(weighted_too[:known], weighted, rtol=1e-6)
    assert lately_too[known:].tolist() == [0.0] * len(LATE)
    assert np.argmax(lately_too) == np.argmax(lately)


def test_future_event_is_treated_as_undated_in_training_and_in_memory(spark, enrolments):
    frame, rows = enrolments
    mixed = [LATE[1], EDGE, None]
    poisoned = with_times(frame, rows, "enrolled_at", mixed, user_id="Z-odd-", course_id="Z-odd-")
    result = events.prepare_events(spark, poisoned, MOOC, MOOC.recommenders[0])
    assert result.newest == EDGE.timestamp()
    assert result.implausible == 1
    odd = {row["item"]: row["since"] for row in result.rows.where("user LIKE 'Z-odd-%'").collect()}
    known = len(result.item_ids) - len(mixed)
    assert odd == {known: None, known + 1: EDGE.timestamp(), known + 2: None}
    in_memory = make_sequences(poisoned.toArrow(), MOOC, MOOC.recommenders[0])
    assert in_memory.times.max() == result.newest
    assert in_memory.times.min() == result.oldest


def test_sales_of_future_order_are_undated(spark):
    frame, rows, _ = landed(spark, SHOP, 200)
    poisoned = with_times(frame, rows, "event_time", [LATE[1], EDGE], order_id="9", product_id="9")
    days = {row["order_id"]: row["day"] for row in sales.make_order_lines(poisoned, SHOP, SHOP.sales[0]).collect()}
    assert days["90"] == UNDATED
    assert days["91"] == (EDGE - datetime(1970, 1, 1, tzinfo=UTC)).days


def test_future_course_is_excluded_from_trends_but_keeps_other_features(spark):
    frame, rows, _ = landed(spark, COURSES, 200)
    columns = [*frame.columns, "record_id"]
    named = frame.selectExpr("*", "concat('r', course_id, kafka_offset) AS record_id")
    rows = [row | {"record_id": "z"} for row in rows]
    poisoned = with_times(named.select(columns), rows, "published_timestamp", [LATE[1]], course_id="Z")
    bounds = {"0": (0, 200_000)}
    records = dataset.deduplicate(poisoned, COURSES, bounds)
    (odd,) = records.rows.where("course_id = 'Z0'").collect()
    assert odd["published_timestamp"] is None
    by_name = {model.name: dataset.compute_features(records, model) for model in COURSES.clusterings}
    assert by_name["trend"].count() == by_name["price"].count() - 1
