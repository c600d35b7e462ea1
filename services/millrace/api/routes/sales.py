"""`/v1/<workload>/sales`, `/customers/top` and `/statistics`, for every workload that declares sales."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from millrace.analytics.sales import SUMS, Days
from millrace.api.parameters import FirstDay, ItemCount, LastDay, describe_choice, one_of, to_days
from millrace.api.responses import error_responses, json_response
from millrace.api.work_queue import ANSWERS
from millrace.serving.kinds.sales import LoadedSales
from millrace.serving.metrics import metrics
from millrace.serving.model_store import ModelStore
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


def make_router(store: ModelStore, workload: Workload, model: SalesModel) -> APIRouter:
    """The paths of one workload's sales."""
    router = APIRouter(
        prefix=f"/v1/{workload.name}", tags=[workload.name], responses=error_responses(401, 403, 422, 503)
    )
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    async def answer(days: Days, compute: Callable[[LoadedSales], dict[str, object]]) -> Response:
        """Sums over years take milliseconds: off the event loop."""
        served = store.get(workload.name, model.name, LoadedSales)
        sums = await ANSWERS.run(compute, served)
        answered.inc()
        limits = {"from": days.first and days.first.isoformat(), "to": days.last and days.last.isoformat()}
        return json_response({**sums, **limits, **served.manifest.version_fields})

    @router.get("/sales", summary="Sales by month", response_model=SalesTrend)
    async def show_trend(first: FirstDay = None, last: LastDay = None) -> Response:
        days = to_days(first, last)

        def compute(served: LoadedSales) -> dict[str, object]:
            sales = served.sales
            return {"months": sales.monthly(days), "total": sales.total(days), "undated": sales.sum_undated()}

        return await answer(days, compute)

    @router.get("/customers/top", summary="Customers who spent most", response_model=TopCustomers)
    async def list_top_customers(n: ItemCount = 10, first: FirstDay = None, last: LastDay = None) -> Response:
        days = to_days(first, last)
        return await answer(days, lambda served: {"customers": served.sales.top_customers(days, n)})

    @router.get("/statistics", summary=f"Statistics by {', '.join(model.by)}", response_model=StatisticsAnswer)
    async def show_statistics(
        by: Annotated[str, Query(json_schema_extra=describe_choice(tuple(model.by))), one_of(tuple(model.by))] = next(
            iter(model.by)
        ),
        order: Annotated[str, Query(json_schema_extra=describe_choice(SUMS)), one_of(SUMS)] = SUMS[0],
        n: ItemCount = 10,
        first: FirstDay = None,
        last: LastDay = None,
    ) -> Response:
        days = to_days(first, last)
        return await answer(days, lambda served: {"by": by, "statistics": served.sales.top_values(by, days, n, order)})

    return router
