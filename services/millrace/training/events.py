"""Events of a snapshot for a recommender: each once, numbered, in order, and split into what fits may see."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from millrace.errors import BadInputError
from millrace.spark.rows import only_row
from millrace.training.dataset import offsets_within, plausible_or_null
from millrace.training.offsets import Ranges
from millrace.workloads.base import ANONYMOUS, RecommenderModel, Workload
from millrace.workloads.labels import MAX_LABEL_CHARACTERS

ARRIVAL = ("kafka_timestamp", "kafka_partition", "kafka_offset")
TRAIN_SHARE = 0.9  # of the events lie before the point in time
EARLY, NEXT, LAST = 0, 1, 2
"""`part` of an event: what every fit may see, what options are chosen on, what is only measured."""


@dataclass(frozen=True)
class EventSet:
    """`rows`: user, known, item (a number from 0), since (seconds, or null), part, and ARRIVAL; cached.

    `item_ids[number]` is the item, sorted; `labels[number]` what its records call it. `newest` is the latest
    plausible time, or None where no event has one; `points` are the times that begin the parts NEXT and LAST, or None
    where the parts are the last two events of each user of three and more.
    """

    rows: DataFrame
    item_ids: list[str]
    labels: list[str]
    oldest: float | None
    newest: float | None
    points: tuple[float, float] | None
    kept: int
    repeated: int
    implausible: int
    """Events of which the time can't be believed (see millrace.records.times): they count, as of an unknown time."""

    @property
    def protocol(self) -> str:
        return "time" if self.points else "leave-one-out"


def first_arrivals(rows: DataFrame, workload: Workload, *fields: str) -> DataFrame:
    """Each event once: its identity, `arrival` (where it came first), and what it said there in the fields `fields`."""
    arrival = F.struct(*ARRIVAL)
    first = [F.min_by(field, arrival).alias(field) for field in fields if field not in workload.identity]
    return rows.groupBy(*workload.identity).agg(F.min(arrival).alias("arrival"), *first)


def prepare_events(spark: SparkSession, rows: DataFrame, workload: Workload, model: RecommenderModel) -> EventSet:
    """Each event once, where it came first, in the order of its user.

    An event without a time stands behind the one that came before it from the same user. Where the user is unknown,
    the events of a session belong together. Raises BadInputError where there is nothing to learn from.
    """
    user = F.col(model.user)
    if model.session:
        user = F.coalesce(user, F.concat(F.lit(ANONYMOUS), F.col(model.session)))
    plain = first_arrivals(rows, workload).select(
        user.alias("user"),
        F.col(model.user).isNotNull().alias("known"),
        F.col(model.item).alias("item_id"),
        (F.unix_micros(plausible_or_null(F.col(model.time), F.col("arrival.kafka_timestamp"))) / 1e6).alias("at"),
        F.col(model.time).isNotNull().alias("stated"),
        "arrival",
    )
    own = Window.partitionBy("user").orderBy("arrival")
    placed = plain.withColumn("since", F.last("at", ignorenulls=True).over(own)).cache()
    item_ids, labels = _list_items(rows, model)
    total = rows.count()
    totals = placed.agg(F.count("*"), F.count("at"), F.min("at"), F.max("at"), F.count_if("stated")).first()
    if not totals or not totals[0]:
        raise BadInputError(
            f"The window holds no event of {workload.name}. Ingest more.", code="too_few_rows", field="rows"
        )
    points = _split_points(placed) if totals[1] > totals[0] / 2 else None
    numbers = spark.createDataFrame(pa.table({"item_id": item_ids, "item": np.arange(len(item_ids), dtype=np.int32)}))
    numbered = placed.join(F.broadcast(numbers), "item_id")
    parted = numbered.withColumn("part", _part_column(points))
    result = parted.select(
        "user", "known", "item", "since", "part", "arrival", *(f"arrival.{name}" for name in ARRIVAL)
    )
    result = result.cache()
    result.count()
    placed.unpersist()
    return EventSet(
        result, item_ids, labels, totals[2], totals[3], points, totals[0], total - totals[0], totals[4] - totals[1]
    )


def _list_items(rows: DataFrame, model: RecommenderModel) -> tuple[list[str], list[str]]:
    """Ids, sorted as bytes, and labels: of each label field what an event last said and did not leave blank."""
    latest = [
        F.max_by(label_start(label), F.when(F.col(label) != "", F.struct(*ARRIVAL))).alias(f"label{number}")
        for number, label in enumerate(model.labels)
    ]
    rows_by_item = rows.groupBy(F.col(model.item).alias("item_id")).agg(F.count("*").alias("n"), *latest).toArrow()
    columns = [rows_by_item.column(f"label{number}").to_pylist() for number in range(len(latest))]
    texts_of_items = [" ".join(filter(None, words)) for words in zip(*columns, strict=True)] or [
        ""
    ] * rows_by_item.num_rows
    both = sorted(
        zip(rows_by_item.column("item_id").to_pylist(), texts_of_items, strict=True), key=lambda pair: pair[0].encode()
    )
    return [item for item, _ in both], [label for _, label in both]


def label_start(field: str) -> Column:
    """The beginning of a label, long enough that `cut_label` still sees whether there was more."""
    return F.substring(field, 1, MAX_LABEL_CHARACTERS + 1)


def _split_points(placed: DataFrame) -> tuple[float, float]:
    last = only_row(placed.agg(F.percentile_approx("at", TRAIN_SHARE, 100_000)))[0]
    before = only_row(placed.where(F.col("at") < last).agg(F.percentile_approx("at", TRAIN_SHARE, 100_000)))[0]
    return (last if before is None else before), last


def _part_column(points: tuple[float, float] | None) -> Column:
    if points:
        first, second = points
        late = F.when(F.col("since") >= second, LAST).when(F.col("since") >= first, NEXT)
        return late.otherwise(EARLY)
    own = Window.partitionBy("user")
    back = F.row_number().over(own.orderBy(F.desc_nulls_last("since"), F.desc("arrival")))
    size = F.count("*").over(own)
    return F.when((size >= 3) & (back == 1), LAST).when((size >= 3) & (back == 2), NEXT).otherwise(EARLY)


def filter_by_offsets(events: EventSet, bounds: Ranges) -> DataFrame:
    """The events whose offsets lie in the bounds."""
    return events.rows.where(offsets_within(bounds))


def group_by_user(rows: DataFrame) -> DataFrame:
    """user, known, and arrays in the user's order: items, since, part."""
    inner = F.sort_array(F.collect_list(F.struct("since", "arrival", "item", "part")))
    grouped = rows.groupBy("user").agg(F.first("known").alias("known"), inner.alias("events"))
    return grouped.select(
        "user",
        "known",
        F.col("events.item").alias("items"),
        F.col("events.since").alias("since"),
        F.col("events.part").alias("part"),
    )
