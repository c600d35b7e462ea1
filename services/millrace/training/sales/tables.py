"""Sales by Spark: order lines of a snapshot summed by day, kept in the lake and published for the API.

Cost: two shuffles of the lines (each once; each order its day), one a table, of sums that arose where the lines lie.
What leaves Spark are sums: a row a day, a row a customer and day, a row a product, brand or category and day.
"""

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from millrace.analytics.sales import SUMS, UNDATED
from millrace.lake import CATALOG, table_name
from millrace.runtime.text_arrays import TextArray
from millrace.training.dataset import plausible_or_null
from millrace.training.events import first_arrivals, label_start
from millrace.workloads.base import SalesModel, Workload
from millrace.workloads.labels import make_labels

DAY_US = 86_400_000_000


def make_order_lines(rows: DataFrame, workload: Workload, model: SalesModel) -> DataFrame:
    """Each order line once: day, order_id, customer, item, hundredths, and what `model.by` says; cached.

    A day is a whole number since 1970 in UTC, that of the order's first plausible time, else UNDATED.
    """
    at = plausible_or_null(F.col(model.time), F.col("arrival.kafka_timestamp"))
    began = F.min(at).over(Window.partitionBy(model.order))
    days = F.floor(F.unix_micros(began) / DAY_US).cast("int")
    fields = dict.fromkeys([*model.by.values(), *model.labels])
    return (
        first_arrivals(rows, workload, *fields)
        .select(
            F.coalesce(days, F.lit(UNDATED)).alias("day"),
            F.col(model.order).alias("order_id"),
            F.col(model.customer).alias("customer"),
            F.col(model.item).alias("item"),
            F.round(F.col(model.price) * 100).cast("long").alias("hundredths"),
            "arrival",
            *(F.coalesce(field, F.lit("")).alias(name) for name, field in model.by.items()),
            *(F.coalesce(label_start(field), F.lit("")).alias(f"label_{field}") for field in model.labels),
        )
        .cache()
    )


def sum_columns() -> list[Column]:
    """Revenue, orders and items of a group."""
    orders = F.count_distinct("order_id").cast("long").alias("orders")
    return [F.sum("hundredths").alias("revenue"), orders, F.count("*").alias("items")]


def sum_tables(order_lines: DataFrame, model: SalesModel) -> dict[str, DataFrame]:
    """The tables of the lake by what they end on."""
    customers = order_lines.where("customer IS NOT NULL")
    prices = [F.min("hundredths").alias("lowest"), F.max("hundredths").alias("highest")]
    tables = {
        "sales": order_lines.groupBy("day").agg(*sum_columns()),
        "customers": customers.groupBy("day", "customer").agg(*sum_columns()),
    }
    for name in model.by:
        tables[f"by_{name}"] = order_lines.groupBy("day", F.col(name).alias("value")).agg(*sum_columns(), *prices)
    return {name: table.cache() for name, table in tables.items()}


def sum_months(order_lines: DataFrame) -> DataFrame:
    """A row for each month (its first day): revenue, orders, items, buyers."""
    month = F.trunc(F.date_add(F.lit("1970-01-01").cast("date"), F.col("day")), "month").alias("month")
    buyers = F.count_distinct("customer").alias("buyers")
    return order_lines.where(F.col("day") != UNDATED).groupBy(month).agg(*sum_columns(), buyers)


def list_kept_tables(workload: Workload) -> list[str]:
    """The names in the lake of what `keep` writes."""
    names = ["sales_monthly", "sales_daily", "customers_daily"]
    names_by_model = [[*names, *(f"by_{name}_daily" for name in model.by)] for model in workload.sales]
    return [table_name(f"{workload.name}_{name}") for each in names_by_model for name in each]


def write_tables(tables: dict[str, DataFrame], monthly: DataFrame, workload: str, version: str) -> None:
    """Write the tables `<workload>_sales_monthly` and `<workload>_<what>_daily`, each replaced as a whole.

    Money stands in them as decimals, days as dates; orders without a time have no date.
    """
    day = F.when(F.col("day") != UNDATED, F.date_add(F.lit("1970-01-01").cast("date"), F.col("day"))).alias("day")

    def money(name: str) -> Column:
        return (F.col(name).cast("decimal(18,2)") / 100).cast("decimal(18,2)").alias(name)

    written = {f"{name}_daily": (day, table) for name, table in tables.items()}
    written["sales_monthly"] = (F.col("month"), monthly)
    for name, (first, table) in written.items():
        rest = [column for column in table.columns if column not in ("day", "month")]
        columns = [money(one) if one in ("revenue", "lowest", "highest") else F.col(one) for one in rest]
        target = table.select(first, *columns).writeTo(f"{CATALOG}.{table_name(f'{workload}_{name}')}")
        target.using("iceberg").tableProperty("millrace.version", version).createOrReplace()


def make_arrays(tables: dict[str, DataFrame], order_lines: DataFrame, model: SalesModel) -> dict[str, np.ndarray]:
    """The arrays of millrace.analytics.sales."""
    daily = tables["sales"].orderBy("day").toArrow()
    result = {"day": daily.column("day").to_numpy().astype(np.int32)}
    result |= {f"day_{name}": daily.column(name).to_numpy().astype(np.int64) for name in SUMS}
    result |= _encode_table(tables["customers"], "customer", "customer", "customer_ids", SUMS)
    for name in model.by:
        result |= _encode_table(tables[f"by_{name}"], "value", name, f"{name}_values", (*SUMS, "lowest", "highest"))
        if model.by[name] == model.item and model.labels:
            names = _last_names(order_lines, model, TextArray.from_arrays(result, f"{name}_values").to_list())
            result |= names.to_arrays(f"{name}_names")
    return result


def _encode_table(
    table: DataFrame, text: str, name: str, values: str, columns: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """A table by day whose texts are replaced with their rows in `values`, which are sorted, each once."""
    rows = table.orderBy("day").toArrow()
    texts = rows.column(text).to_pylist()
    # Sorted by code points, which is the order of their UTF-8.
    numbers = {value: number for number, value in enumerate(sorted(set(texts)))}
    arrays = {
        f"{name}_day": rows.column("day").to_numpy().astype(np.int32),
        name: np.fromiter(map(numbers.__getitem__, texts), np.int32, len(texts)),
    }
    arrays |= TextArray.from_texts(numbers).to_arrays(values)
    return arrays | {f"{name}_{column}": rows.column(column).to_numpy().astype(np.int64) for column in columns}


def _last_names(order_lines: DataFrame, model: SalesModel, items: list[str]) -> TextArray:
    """What the lines of each item last said of it, else its id."""
    latest = [
        F.max_by(f"label_{field}", F.when(F.col(f"label_{field}") != "", F.col("arrival"))).alias(field)
        for field in model.labels
    ]
    rows = order_lines.groupBy("item").agg(*latest).toArrow().to_pylist()
    names = {row["item"]: " ".join(row[field] for field in model.labels if row[field]) for row in rows}
    return make_labels(items, names)
