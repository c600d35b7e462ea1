"""A sixth workload that exists only in the tests: one module, and the whole pipeline carries it."""

from collections.abc import Iterator
from random import Random
from typing import Annotated

from millrace.records.contract import Record
from millrace.records.types import Blank, Count, Id, Money, Rating, Timestamp
from millrace.workloads.base import ClusterModel, Endpoint, Feature, Row, Workload
from millrace.workloads.naming import make_scale


class Rental(Record):
    """A flat for rent."""

    flat_id: Id
    rooms: Count
    rent: Money
    listed_at: Timestamp
    rating: Annotated[Rating | None, Blank] = None


def generate(random: Random, rows: int) -> Iterator[Row]:
    """Two kinds of flats, one broken rent in five hundred rows."""
    for number in range(rows):
        large = random.random() < 0.4
        yield {
            "flat_id": f"F{number}",
            "rooms": str(random.randint(4, 7) if large else random.randint(1, 2)),
            "rent": "on request" if number % 500 == 499 else f"€{random.gauss(2400 if large else 700, 120):,.2f}",
            "listed_at": f"2026-0{random.randint(1, 9)}-1{random.randint(0, 9)}T08:00:00Z",
            "rating": random.choice(["", "4.1", "3.0"]),
        }


WORKLOAD = Workload(
    name="rentals",
    description="flats for rent, only in the tests",
    record=Rental,
    identity=("flat_id",),
    generate=generate,
    models=(
        ClusterModel("size", (Feature("rooms"), Feature("rent", "log1p")), (2, 3), {"rent": 1}, make_scale("size")),
    ),
    endpoints=(Endpoint("/rental_size", "size"),),
)
