"""`shop`: purchases of an electronics shop; the next products for a customer, and the shop's sales."""

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator

from millrace.records.contract import Record
from millrace.records.numbers import parse_money
from millrace.records.types import Blank, Id, Money, Text, Timestamp, parse_timestamp
from millrace.workloads.base import RecommenderModel, Row, SalesModel, Workload
from millrace.workloads.shop.generator import generate

UNSET = "1970-01-01"


def parse_clock(value: object) -> datetime | None:
    """The time of a purchase; a day on which the source's clock was not set yet is unknown, not a time."""
    if isinstance(value, str) and value.strip().startswith(UNSET):
        return None
    return None if value is None else parse_timestamp(value)


class Purchase(Record):
    """One product of an order. An unknown customer, time or category is null; a price of 0 is a price."""

    event_time: Annotated[Timestamp | None, BeforeValidator(parse_clock)]
    order_id: Id
    product_id: Id
    category_id: Annotated[Id | None, Blank] = None
    category_code: Text = ""
    brand: Text = ""
    price: Money
    user_id: Annotated[Id | None, Blank]


def mend(row: Row) -> Row | None:
    """The row that was meant by one that lost category_code and brand, else None.

    It has six fields, so that the price stands in category_code and the customer in brand. It is put right only where
    those two read as a price and as a whole number or nothing.
    """
    price, user = row.get("category_code"), row.get("brand")
    if row.get("price") or row.get("user_id") or not isinstance(price, str) or not isinstance(user, str):
        return None
    if user.strip() and not user.strip().isdecimal():
        return None
    try:
        parse_money(price)
    except ValueError:
        return None
    return {**row, "category_code": "", "brand": "", "price": price, "user_id": user}


WORKLOAD = Workload(
    name="shop",
    description="purchases, with sales and the next products for a customer",
    record=Purchase,
    # The key is the order: most customers are unknown, and all of them as one key would fill one partition.
    identity=("order_id", "product_id", "event_time", "price", "user_id"),
    events=True,
    generate=generate,
    mend=mend,
    files=("kz.csv", "kz.csv.gz", "kz_sample.csv.gz"),
    models=(
        RecommenderModel(
            "recommendations",
            user="user_id",
            item="product_id",
            time="event_time",
            session="order_id",
            labels=("brand", "category_code"),
            n=3,
            half_life=60.0,
        ),
        SalesModel(
            "sales",
            time="event_time",
            order="order_id",
            customer="user_id",
            item="product_id",
            price="price",
            by={"product": "product_id", "brand": "brand", "category": "category_code"},
            labels=("brand", "category_code"),
        ),
    ),
)
