"""`/v1/<workload>/sales`, `/customers/top` and `/statistics`, for every workload that declares sales."""

from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from millrace.analytics.sales import SUMS, Days
from millrace.api import query
from millrace.api.declarations import RouteRegistry, describe_query, error_responses, json_response
from millrace.serving.kinds.sales import LoadedSales
from millrace.serving.metrics import metrics
from millrace.serving.model_store import ModelStore
from millrace.workloads import load_workloads
from millrace.workloads.base import SalesModel, Workload


class SalesSums(BaseModel):
    """Sums over orders; money in the currency of the records."""

    revenue: float
    orders: int
    items: int
    order_value: float | None = Field(description="Revenue of an order on average; null without orders.")
    items_per_order: float | None


class SalesWithBuyers(SalesSums):
    """Sums over orders, and how many customers they have."""

    buyers: int = Field(description="Distinct known customers.")


class MonthlySales(SalesWithBuyers):
    """The orders of a month."""

    month: str = Field(examples=["2020-04"])


class SalesAnswer(BaseModel):
    """What every answer about sales holds: the version, and the days that were asked for."""

    model: str
    version: str
    first_day: str | None = Field(alias="from")
    last_day: str | None = Field(alias="to")


class SalesTrend(SalesAnswer):
    """Sales by month."""

    months: list[MonthlySales] = Field(
        description="Months with orders, in order; an order counts on the day of its first line."
    )
    total: SalesWithBuyers
    undated: SalesSums = Field(
        description="Orders without a time: in no month, and in the total only without from and to."
    )


class CustomerSales(SalesSums):
    """The orders of a customer."""

    user_id: str


class TopCustomers(SalesAnswer):
    """The customers with the highest revenue."""

    customers: list[CustomerSales]


class ValueStatistics(SalesSums):
    """The orders of a product, brand or category, and its prices."""

    value: str | None = Field(description="Null where the lines did not say it.")
    name: str | None = Field(None, description="What a product is called.")
    lowest_price: float
    mean_price: float
    highest_price: float


class StatisticsAnswer(SalesAnswer):
    """Sales by product, brand or category."""

    by: str
    statistics: list[ValueStatistics]


def declare(declared: RouteRegistry, champions: ModelStore) -> None:
    """Add the paths of every sales model."""
    for workload in load_workloads().values():
        for model in workload.sales:
            SalesRoutes(champions, workload, model).declare(declared)


class SalesRoutes:
    """The paths of one workload's sales."""

    def __init__(self, champions: ModelStore, workload: Workload, model: SalesModel):
        self.champions, self.workload, self.model = champions, workload, model
        self.answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    async def answer(self, request: Request, compute: Callable[[LoadedSales, Days], dict[str, Any]]) -> Response:
        """Sums over years take milliseconds: beside the event loop."""
        days, served = query.read_days(request), self.champions.get(self.workload.name, self.model.name, LoadedSales)
        sums = await run_in_threadpool(compute, served, days)
        self.answered.inc()
        limits = {"from": days.first and days.first.isoformat(), "to": days.last and days.last.isoformat()}
        return json_response({**sums, **limits, **served.manifest.version_fields})

    async def trend(self, request: Request) -> Response:
        def compute(served: LoadedSales, days: Days) -> dict[str, Any]:
            sales = served.sales
            return {"months": sales.monthly(days), "total": sales.total(days), "undated": sales.sum_undated()}

        return await self.answer(request, compute)

    async def customers(self, request: Request) -> Response:
        n = query.read_number(request, "n", 10, query.MAX_N)
        return await self.answer(request, lambda served, days: {"customers": served.sales.top_customers(days, n)})

    async def statistics(self, request: Request) -> Response:
        by, order = query.read_choice(request, "by", tuple(self.model.by)), query.read_choice(request, "order", SUMS)
        n = query.read_number(request, "n", 10, query.MAX_N)

        def compute(served: LoadedSales, days: Days) -> dict[str, Any]:
            return {"by": by, "statistics": served.sales.top_values(by, days, n, order)}

        return await self.answer(request, compute)

    def declare(self, declared: RouteRegistry) -> None:
        base, tag, wrong = f"/v1/{self.workload.name}", self.workload.name, error_responses(401, 422, 503)
        limits, n = [describe_day("from"), describe_day("to")], describe_query("n", 1, query.MAX_N, 10)
        declared.add_get(f"{base}/sales", self.trend, "Sales by month", tag, SalesTrend, wrong, limits)
        summary = "Customers who spent most"
        declared.add_get(f"{base}/customers/top", self.customers, summary, tag, TopCustomers, wrong, [n, *limits])
        words = [describe_choice("by", tuple(self.model.by)), describe_choice("order", SUMS)]
        summary = f"Statistics by {', '.join(self.model.by)}"
        declared.add_get(
            f"{base}/statistics", self.statistics, summary, tag, StatisticsAnswer, wrong, [n, *words, *limits]
        )


def describe_day(name: str) -> dict[str, Any]:
    """What OpenAPI says of a parameter that is a day."""
    schema = {"type": "string", "format": "date"}
    description = f"The {'first' if name == 'from' else 'last'} day in UTC, itself included."
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def describe_choice(name: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    """What OpenAPI says of a parameter that is one of several words."""
    schema = {"type": "string", "enum": list(allowed), "default": allowed[0]}
    return {"name": name, "in": "query", "required": False, "schema": schema}
