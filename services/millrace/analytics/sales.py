"""The sums of a shop by day as arrays, and the questions that they answer.

An order's day is that of its first line with a time, in UTC; it counts once on that day. Money is in hundredths
(int64), so sums are exact. Rows are sorted by day: a range of days is a slice of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from millrace.errors import CorruptError
from millrace.runtime.text_arrays import TextArray, read_text_arrays, text_array_names

ALGORITHM = "sales"
UNDATED = -1
"""The day of orders without a time: before all others, and in no range."""
SUMS = ("revenue", "orders", "items")
EPOCH = date(1970, 1, 1)
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Days:
    """The first and the last day asked for, or None where there is no limit: then orders without a time count too."""

    first: date | None = None
    last: date | None = None

    def slice(self, days: np.ndarray) -> slice:
        """Where these days stand in a sorted array of days since 1970."""
        first = None if self.first is None else (self.first - EPOCH).days
        if first is None and self.last is not None:
            first = UNDATED + 1
        start = 0 if first is None else int(np.searchsorted(days, first))
        end = len(days) if self.last is None else int(np.searchsorted(days, (self.last - EPOCH).days, "right"))
        return slice(start, max(start, end))


def check_arrays(arrays: Arrays, by: tuple[str, ...]) -> None:
    """Raises CorruptError that names the array which lacks, has another length or is not in order."""
    wanted = {"day": [f"day_{name}" for name in SUMS]}
    wanted["customer_day"] = ["customer", *(f"customer_{name}" for name in SUMS)]
    for name in by:
        wanted[f"{name}_day"] = [name, *(f"{name}_{array}" for array in (*SUMS, "lowest", "highest"))]
    texts = {"customer": "customer_ids"} | {name: f"{name}_values" for name in by}
    every = {array for day, rest in wanted.items() for array in (day, *rest)}
    every |= {array for name in texts.values() for array in text_array_names(name)}
    if lacking := sorted(every - set(arrays)):
        raise CorruptError(
            f"lacks the arrays {', '.join(lacking)}; it has {', '.join(sorted(arrays))}.", field="arrays"
        )
    for day, rest in wanted.items():
        if (np.diff(arrays[day]) < 0).any():
            raise CorruptError(f"{day}.npy must be sorted.", field=day)
        for array in rest:
            if arrays[array].shape != arrays[day].shape:
                sentence = (
                    f"{array}.npy has the shape {list(arrays[array].shape)}; {day}.npy has {list(arrays[day].shape)}."
                )
                raise CorruptError(sentence, field=array)
    loaded = read_text_arrays(arrays)
    for numbers, name in texts.items():
        rows, size = arrays[numbers], len(loaded[name])
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < size:
            raise CorruptError(f"{numbers}.npy names a row outside 0 ... {size - 1} of {name}.", field=numbers)
    for name in by:
        if (count := len(loaded.get(f"{name}_names", values := loaded[f"{name}_values"]))) != len(values):
            raise CorruptError(f"{name}_names holds {count} texts; {name}_values has {len(values)}.", field=name)


@dataclass(frozen=True)
class Sales:
    """One training's sums.

    By day: `day` (d,) int32, `day_revenue`, `day_orders`, `day_items` (d,) int64. By customer and day: `customer_day`,
    `customer` (a row of `customer_ids`), and the sums. By each of `by`, likewise: `<by>_day`, `<by>` (a row of
    `<by>_values`), the sums, and `<by>_lowest` and `<by>_highest`, hundredths. `customer_ids`, `<by>_values` and, where
    values have names, `<by>_names` are texts (see millrace.runtime.text_arrays).
    """

    arrays: Arrays
    texts: Mapping[str, TextArray] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", read_text_arrays(self.arrays))

    def monthly(self, days: Days) -> list[dict[str, Any]]:
        """Revenue, orders, items and buyers (distinct known customers) of each month that has orders, in order."""
        part, buyers = days.slice(self.arrays["day"]), self._buyers(days)
        start = max(part.start, self._first_dated_row())
        months = to_months(self.arrays["day"][start : part.stop])
        return [
            {"month": str(month), **to_answer(self._sums(start + np.flatnonzero(months == month)))}
            | {"buyers": buyers.get(str(month), 0)}
            for month in np.unique(months)
        ]

    def _first_dated_row(self) -> int:
        """The row of `day` with which orders with a time begin."""
        return int(np.searchsorted(self.arrays["day"], UNDATED, "right"))

    def _sums(self, rows: slice | np.ndarray) -> dict[str, int]:
        return {name: int(self.arrays[f"day_{name}"][rows].sum()) for name in SUMS}

    def _buyers(self, days: Days) -> dict[str, int]:
        part = days.slice(self.arrays["customer_day"])
        months = to_months(self.arrays["customer_day"][part]).astype(np.int64)
        pairs = np.unique(np.stack([months, self.arrays["customer"][part]]), axis=1)
        each, counts = np.unique(pairs[0], return_counts=True)
        return dict(zip(each.astype("datetime64[M]").astype(str).tolist(), counts.tolist(), strict=True))

    def total(self, days: Days) -> dict[str, Any]:
        """The same of the whole range; without limits, orders without a time are in it."""
        sums = self._sums(days.slice(self.arrays["day"]))
        customers = self.arrays["customer"][days.slice(self.arrays["customer_day"])]
        return {**to_answer(sums), "buyers": len(np.unique(customers))}

    def sum_undated(self) -> dict[str, Any]:
        """The orders without a time."""
        return to_answer(self._sums(slice(self._first_dated_row())))

    def top_customers(self, days: Days, n: int) -> list[dict[str, Any]]:
        """The n customers who spent most; of equal ones the first by id."""
        rows, sums = self._sum_values("customer", "customer_ids", days)
        best = np.lexsort((rows, -sums["revenue"]))[:n]
        ids = self.texts["customer_ids"]
        return [{"user_id": ids[int(rows[at])], **to_answer(row_sums(sums, at))} for at in best.tolist()]

    def top_values(self, by: str, days: Days, n: int, order: str) -> list[dict[str, Any]]:
        """The n values of `by` with most of `order` (one of SUMS), with their lowest, mean and highest price.

        The value is null where the lines did not say it.
        """
        part, values = days.slice(self.arrays[f"{by}_day"]), self.texts[f"{by}_values"]
        rows, sums = self._sum_values(by, f"{by}_values", days)
        which = np.searchsorted(rows, self.arrays[by][part])
        lowest = np.full(len(rows), np.iinfo(np.int64).max)
        highest = np.zeros(len(rows), dtype=np.int64)
        np.minimum.at(lowest, which, self.arrays[f"{by}_lowest"][part])
        np.maximum.at(highest, which, self.arrays[f"{by}_highest"][part])
        best = np.lexsort((rows, -sums[order]))[:n]
        return [
            {
                "value": values[int(rows[at])] or None,
                **self._value_names(by, int(rows[at])),
                **to_answer(row_sums(sums, at)),
                "lowest_price": to_amount(float(lowest[at])),
                "mean_price": to_amount(float(sums["revenue"][at] / sums["items"][at])),
                "highest_price": to_amount(float(highest[at])),
            }
            for at in best.tolist()
        ]

    def _value_names(self, by: str, row: int) -> dict[str, str]:
        names = self.texts.get(f"{by}_names")
        return {} if names is None else {"name": names[row]}

    def _sum_values(self, numbers: str, texts: str, days: Days) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The rows of `texts` that occur in the days, and their sums."""
        part = days.slice(self.arrays[f"{numbers}_day"])
        which, size = self.arrays[numbers][part], len(self.texts[texts])
        rows = np.flatnonzero(np.bincount(which, minlength=size))
        sums = {}
        for name in SUMS:
            whole = np.zeros(size, dtype=np.int64)
            np.add.at(whole, which, self.arrays[f"{numbers}_{name}"][part])
            sums[name] = whole[rows]
        return rows, sums


def to_months(days: np.ndarray) -> np.ndarray:
    """The months of days since 1970, as datetime64[M]."""
    return np.asarray(days, dtype=np.int64).astype("datetime64[D]").astype("datetime64[M]")


def row_sums(sums: dict[str, np.ndarray], at: int) -> dict[str, int]:
    """The sums of one row."""
    return {name: int(values[at]) for name, values in sums.items()}


def to_answer(sums: dict[str, int]) -> dict[str, Any]:
    """Sums as answered, with the size of an order: money and items; both null where there is no order."""
    orders = sums["orders"]
    return {
        "revenue": to_amount(sums["revenue"]),
        "orders": orders,
        "items": sums["items"],
        "order_value": to_amount(sums["revenue"] / orders) if orders else None,
        "items_per_order": round(sums["items"] / orders, 2) if orders else None,
    }


def to_amount(hundredths: float) -> float:
    """Hundredths as an amount with two digits."""
    return round(float(hundredths) / 100, 2)
