"""`/v1/<workload>/sales`, `/customers/top` and `/statistics`, for every workload that declares sales."""

from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from millrace.analytics.sales import SUMS, Days
from millrace.api import asked
from millrace.api.champions import Champions
from millrace.api.documented import Declared, errors, json, query
from millrace.api.metrics import metrics
from millrace.api.sold import Sold
from millrace.workloads import workloads
from millrace.workloads.base import SalesModel, Workload


class Sums(BaseModel):
    revenue: float
    orders: int
    items: int
    order_value: float | None = Field(description="Revenue of an order on average; null without orders.")
    items_per_order: float | None


class Bought(Sums):
    buyers: int = Field(description="Distinct known customers.")


class Month(Bought):
    month: str = Field(examples=["2020-04"])


class Answer(BaseModel):
    model: str
    version: str
    first_day: str | None = Field(alias="from")
    last_day: str | None = Field(alias="to")


class Trend(Answer):
    months: list[Month] = Field(
        description="Months with orders, in order; an order counts on the day of its first line."
    )
    total: Bought
    undated: Sums = Field(description="Orders without a time: in no month, and in the total only without from and to.")


class Customer(Sums):
    user_id: str


class Customers(Answer):
    customers: list[Customer]


class Statistic(Sums):
    value: str | None = Field(description="Null where the lines did not say it.")
    name: str | None = Field(None, description="What a product is called.")
    lowest_price: float
    mean_price: float
    highest_price: float


class Statistics(Answer):
    by: str
    statistics: list[Statistic]


def declare(declared: Declared, champions: Champions) -> None:
    """Add the paths of every sales model."""
    for workload in workloads().values():
        for model in workload.sales:
            Family(champions, workload, model).declare(declared)


class Family:
    """The paths of one workload's sales."""

    def __init__(self, champions: Champions, workload: Workload, model: SalesModel):
        self.champions, self.workload, self.model = champions, workload, model
        self.answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    async def answer(self, request: Request, compute: Callable[[Sold, Days], dict[str, Any]]) -> Response:
        """Sums over years take milliseconds: beside the event loop."""
        days, served = asked.days(request), self.champions.get(self.workload.name, self.model.name)
        sums = await run_in_threadpool(compute, served, days)
        self.answered.inc()
        limits = {"from": days.first and days.first.isoformat(), "to": days.last and days.last.isoformat()}
        return json({**sums, **limits, **served.manifest.said})

    async def trend(self, request: Request) -> Response:
        def compute(served: Sold, days: Days) -> dict[str, Any]:
            sales = served.sales
            return {"months": sales.months(days), "total": sales.total(days), "undated": sales.undated()}

        return await self.answer(request, compute)

    async def customers(self, request: Request) -> Response:
        n = asked.number(request, "n", 10, asked.MOST)
        return await self.answer(request, lambda served, days: {"customers": served.sales.customers(days, n)})

    async def statistics(self, request: Request) -> Response:
        by, order = asked.choice(request, "by", tuple(self.model.by)), asked.choice(request, "order", SUMS)
        n = asked.number(request, "n", 10, asked.MOST)

        def compute(served: Sold, days: Days) -> dict[str, Any]:
            return {"by": by, "statistics": served.sales.statistics(by, days, n, order)}

        return await self.answer(request, compute)

    def declare(self, declared: Declared) -> None:
        base, tag, wrong = f"/v1/{self.workload.name}", self.workload.name, errors(401, 422, 503)
        limits, n = [day("from"), day("to")], query("n", 1, asked.MOST, 10)
        declared.get(f"{base}/sales", self.trend, "Sales by month", tag, Trend, wrong, limits)
        summary = "Customers who spent most"
        declared.get(f"{base}/customers/top", self.customers, summary, tag, Customers, wrong, [n, *limits])
        words = [word("by", tuple(self.model.by)), word("order", SUMS)]
        summary = f"Statistics by {', '.join(self.model.by)}"
        declared.get(f"{base}/statistics", self.statistics, summary, tag, Statistics, wrong, [n, *words, *limits])


def day(name: str) -> dict[str, Any]:
    """What OpenAPI says of a parameter that is a day."""
    schema = {"type": "string", "format": "date"}
    description = f"The {'first' if name == 'from' else 'last'} day in UTC, itself included."
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def word(name: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    """What OpenAPI says of a parameter that is one of several words."""
    schema = {"type": "string", "enum": list(allowed), "default": allowed[0]}
    return {"name": name, "in": "query", "required": False, "schema": schema}
