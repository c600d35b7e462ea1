"""Spark's sums are those of plain Python over the same lines, in the API's arrays and in the lake's tables."""

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from millrace.analytics.sales import UNDATED, Days, Sales, check_arrays
from millrace.errors import CorruptError
from millrace.training.sales import tables as sales
from millrace.workloads import find_workload
from tests.training.landed import landed

SHOP = find_workload("shop")
MODEL = SHOP.model("sales")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def summed(spark):
    """(lines by plain Python, tables, lines by Spark, arrays)."""
    frame, rows, accepted = landed(spark, SHOP, 1500)
    # An order of two lines on two days, and one whose second line alone has a time.
    extra = [dict(row) for row in rows if row["user_id"] and row["event_time"]][:2]
    later = {"event_time": datetime(2020, 12, 24, 23, 30, tzinfo=UTC), "product_id": "77", "price": 19.99}
    extra = [extra[0] | later, extra[1] | {"event_time": None, "product_id": "78", "price": 0.29}]
    frame = frame.union(spark.createDataFrame([[row[name] for name in frame.columns] for row in extra], frame.schema))
    order_lines = sales.make_order_lines(frame, SHOP, MODEL)
    assert order_lines.count() == accepted + 2
    tables = sales.sum_tables(order_lines, MODEL)
    return plain([*rows, *extra]), tables, order_lines, sales.make_arrays(tables, order_lines, MODEL)


def plain(rows):
    """{identity: line}, each once, with its order's day."""
    lines = {tuple(row[name] for name in SHOP.identity): row for row in reversed(rows)}.values()
    began = {}
    for line in lines:
        order, at = line["order_id"], line["event_time"]
        began[order] = min((moment for moment in (began.get(order), at) if moment), default=None)
    return [
        line | {"day": (began[line["order_id"]] - EPOCH).days if began[line["order_id"]] else UNDATED} for line in lines
    ]


def cents(line) -> int:
    return int((Decimal(str(line["price"])) * 100).to_integral_value())


def test_daily_and_monthly_sums_match_order_lines(summed):
    lines, _, _, arrays = summed
    result = Sales(arrays)
    assert result.total(Days())["revenue"] == sum(map(cents, lines)) / 100
    assert result.total(Days())["items"] == len(lines)
    months = defaultdict(lambda: [0, set(), 0, set()])
    for line in lines:
        if line["day"] != UNDATED:
            at = datetime.fromtimestamp(line["day"] * 86_400, UTC)
            month = months[f"{at:%Y-%m}"]
            month[0] += cents(line)
            month[1].add(line["order_id"])
            month[2] += 1
            month[3].add(line["user_id"])
    expected = [
        (name, revenue / 100, len(orders), items, len(buyers - {None}))
        for name, (revenue, orders, items, buyers) in sorted(months.items())
    ]
    report = [
        (month["month"], month["revenue"], month["orders"], month["items"], month["buyers"])
        for month in result.monthly(Days())
    ]
    assert report == expected
    assert result.sum_undated()["orders"] == len({line["order_id"] for line in lines if line["day"] == UNDATED}) > 0


def test_top_customers_match_order_lines(summed):
    lines, _, _, arrays = summed
    spent = defaultdict(int)
    for line in lines:
        if line["user_id"]:
            spent[line["user_id"]] += cents(line)
    best = sorted(spent, key=lambda who: (-spent[who], who))[:10]
    report = Sales(arrays).top_customers(Days(), 10)
    assert [(one["user_id"], one["revenue"]) for one in report] == [(who, spent[who] / 100) for who in best]


@pytest.mark.parametrize("by", list(MODEL.by))
def test_statistics_match_order_lines(summed, by):
    lines, _, _, arrays = summed
    prices, orders = defaultdict(list), defaultdict(set)
    for line in lines:
        prices[line[MODEL.by[by]]].append(cents(line))
        orders[line[MODEL.by[by]]].add(line["order_id"])
    report = Sales(arrays).top_values(by, Days(), 10_000, "revenue")
    assert len(report) == len(prices)
    for item in report:
        own = prices[item["value"] or ""]
        assert item["revenue"] == sum(own) / 100
        assert (item["orders"], item["items"]) == (len(orders[item["value"] or ""]), len(own))
        assert (item["lowest_price"], item["highest_price"]) == (min(own) / 100, max(own) / 100)
        if by == "product":
            assert item["name"]


def test_lake_tables_hold_same_sums(summed, spark):
    lines, tables, result, _ = summed
    sales.write_tables(tables, sales.sum_months(result), "test", "v1")
    daily = spark.table("iceberg.millrace.test_sales_daily").toArrow().to_pylist()
    assert sum(row["revenue"] for row in daily) == Decimal(sum(map(cents, lines))) / 100
    assert any(row["day"] is None for row in daily)
    monthly = spark.table("iceberg.millrace.test_sales_monthly").toArrow().to_pylist()
    assert sum(row["items"] for row in monthly) == sum(line["day"] != UNDATED for line in lines)
    brands = spark.table("iceberg.millrace.test_by_brand_daily").toArrow().to_pylist()
    assert {row["value"] for row in brands} == {line["brand"] for line in lines}
    assert min(row["lowest"] for row in brands) == Decimal(min(map(cents, lines))) / 100
    written = {row["tableName"] for row in spark.sql("SHOW TABLES IN iceberg.millrace LIKE 'test_*'").collect()}
    assert written >= {name.replace("millrace.shop", "test") for name in sales.list_kept_tables(SHOP)}


def test_inconsistent_arrays_are_rejected(summed):
    arrays = dict(summed[3])
    check_arrays(arrays, tuple(MODEL.by))
    for name, broken in {
        "customer_ids_offsets": None,
        "day_revenue": arrays["day_revenue"][1:],
        "brand_day": arrays["brand_day"][::-1],
        "customer": arrays["customer"] + 1_000_000,
    }.items():
        changed = {key: array for key, array in (arrays | {name: broken}).items() if array is not None}
        with pytest.raises(CorruptError, match=name):
            check_arrays(changed, tuple(MODEL.by))
