"""Sales as callers get them: sums of the days that were asked for, against sums made the slow way."""

from datetime import date, timedelta

import pytest

from millrace.runtime.text_arrays import read_text_arrays
from tests.registry.made import sales

BASE = "/v1/shop"
BY = ("product", "brand", "category")
ARRAYS = sales(BY)
TEXTS = read_text_arrays(ARRAYS)
EPOCH = date(1970, 1, 1)
RANGES = pytest.mark.parametrize(
    ("first", "last"), [(None, None), ("2020-03-05", None), (None, "2020-03-05"), ("2020-02-20", "2020-02-20")]
)


def limits(first, last) -> dict[str, str]:
    return {name: value for name, value in (("from", first), ("to", last)) if value}


def rows(prefix: str, first, last, *columns: str):
    """(date or None, *columns) of the rows in the range, one by one."""
    day = "day" if prefix == "day" else f"{prefix}_day"
    for position, number in enumerate(ARRAYS[day].tolist()):
        when = None if number < 0 else EPOCH + timedelta(days=number)
        inside = (
            (first is None and last is None)
            if when is None
            else (first is None or when.isoformat() >= first) and (last is None or when.isoformat() <= last)
        )
        if inside:
            yield when, *(int(ARRAYS[column][position]) for column in columns)


@RANGES
def test_monthly_sales_equal_sums_of_daily_sales(api, first, last):
    answer = api.get(f"{BASE}/sales", params=limits(first, last)).json()
    expected: dict[str, list[int]] = {}
    whole = [0, 0, 0]
    for when, *sums in rows("day", first, last, "day_revenue", "day_orders", "day_items"):
        whole = [a + b for a, b in zip(whole, sums, strict=True)]
        if when:
            month = expected.setdefault(when.isoformat()[:7], [0, 0, 0])
            expected[when.isoformat()[:7]] = [a + b for a, b in zip(month, sums, strict=True)]
    assert [item["month"] for item in answer["months"]] == sorted(expected)
    for item in answer["months"]:
        revenue, orders, items = expected[item["month"]]
        assert (item["revenue"], item["orders"], item["items"]) == (revenue / 100, orders, items)
        assert item["order_value"] == pytest.approx(revenue / 100 / orders, abs=0.005)
        assert item["items_per_order"] == pytest.approx(items / orders, abs=0.005)
        buyers = {who for when, who in rows("customer", first, last, "customer") if str(when)[:7] == item["month"]}
        assert item["buyers"] == len(buyers)
    total = answer["total"]
    assert [total["revenue"], total["orders"], total["items"]] == [whole[0] / 100, whole[1], whole[2]]
    assert total["buyers"] == len({who for _, who in rows("customer", first, last, "customer")})
    assert answer["undated"]["orders"] == int(ARRAYS["day_orders"][0])
    assert (answer["from"], answer["to"]) == (first, last)


@RANGES
def test_top_customers_are_those_who_spent_most(api, first, last):
    answer = api.get(f"{BASE}/customers/top", params={"n": 5, **limits(first, last)}).json()
    spent: dict[int, int] = {}
    for _, who, revenue in rows("customer", first, last, "customer", "customer_revenue"):
        spent[who] = spent.get(who, 0) + revenue
    best = sorted(spent, key=lambda who: (-spent[who], who))[:5]
    assert [one["user_id"] for one in answer["customers"]] == [TEXTS["customer_ids"][who] for who in best]
    assert [one["revenue"] for one in answer["customers"]] == [spent[who] / 100 for who in best]


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("order", ["revenue", "orders", "items"])
def test_statistics_are_sorted_in_requested_order(api, by, order):
    first, last = "2020-02-01", "2020-05-31"
    query = {"by": by, "order": order, "n": 100, **limits(first, last)}
    answer = api.get(f"{BASE}/statistics", params=query).json()
    columns = (by, *(f"{by}_{name}" for name in ("revenue", "orders", "items", "lowest", "highest")))
    results: dict[int, list[tuple[int, ...]]] = {}
    for _, value, *sums in rows(by, first, last, *columns):
        results.setdefault(value, []).append(tuple(sums))
    assert len(answer["statistics"]) == len(results)
    position = ("revenue", "orders", "items").index(order)
    expected = sorted(results, key=lambda value: (-sum(item[position] for item in results[value]), value))
    for item, value in zip(answer["statistics"], expected, strict=True):
        lines = results[value]
        assert item["value"] == (TEXTS[f"{by}_values"][value] or None)
        assert item["revenue"] == sum(line[0] for line in lines) / 100
        assert item["lowest_price"] == min(line[3] for line in lines) / 100
        assert item["highest_price"] == max(line[4] for line in lines) / 100
    assert answer["by"] == by


def test_range_without_orders_returns_empty_result_not_error(api):
    query = limits("1999-01-01", "1999-12-31")
    trend = api.get(f"{BASE}/sales", params=query).json()
    assert trend["months"] == []
    assert trend["total"] == {
        "revenue": 0,
        "orders": 0,
        "items": 0,
        "order_value": None,
        "items_per_order": None,
        "buyers": 0,
    }
    assert api.get(f"{BASE}/customers/top", params=query).json()["customers"] == []
    assert api.get(f"{BASE}/statistics", params=query).json()["statistics"] == []


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("sales", {"from": "yesterday"}, "from"),
        ("sales", {"to": "2020-02-30"}, "to"),
        ("sales", {"from": "20200201"}, "from"),
        ("sales", {"from": "2020-02-02", "to": "2020-02-01"}, "to"),
        ("statistics", {"by": "colour"}, "by"),
        ("statistics", {"order": "taste"}, "order"),
        ("customers/top", {"n": "0"}, "n"),
    ],
)
def test_invalid_query_parameter_is_reported_by_name(api, path, query, field):
    answer = api.get(f"{BASE}/{path}", params=query)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert "allowed" in answer.json()["error"]["message"]
