"""Generated purchases: customers with a taste that changes, and the dirt of a real export."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from millrace.workloads.base import Row

KINDS = {
    "electronics.smartphone": (["samsung", "apple", "huawei"], 260),
    "electronics.audio.headphone": (["sony", "jbl", "marley"], 45),
    "computers.notebook": (["lenovo", "asus", "hp"], 540),
    "computers.peripherals.mouse": (["logitech", "sven", "hp"], 14),
    "appliances.kitchen.kettle": (["tefal", "scarlett", "polaris"], 28),
    "appliances.environment.vacuum": (["samsung", "dyson", "bosch"], 130),
    "": (["ava", "peterhof", ""], 9),
}
FIRST, DAYS = datetime(2020, 1, 5, tzinfo=UTC), 320
PER_KIND = 30
ORDERS_PER_BUYER = 5  # lines of a known customer, on average
LINES_PER_ORDER = 1.4  # of an order, on average


def make_product(kind: int, number: int) -> Row:
    """The fields of a product that are the same in every purchase."""
    name, (brands, price) = list(KINDS.items())[kind]
    return {
        "product_id": str(1515966223509000000 + kind * 1000 + number),
        "category_id": str(2268105428166508000 + kind),
        "category_code": name,
        "brand": brands[number % len(brands)],
        "price": f"{price * (1 + number % 7 / 5):.2f}",
    }


def generate(random: Random, rows: int) -> Iterator[Row]:
    """`rows` rows: one in six short and shifted, one in a hundred of 1970, some repeated, some broken.

    Half of the orders have no customer. A customer walks from product to product within a kind, and now and then
    on to the next kind: what was bought last says most about what is bought next.
    """
    users = max(1, rows // (2 * ORDERS_PER_BUYER))
    places: dict[int, tuple[int, int]] = {}
    order: Row = {}
    buyer = 0
    previous: Row | None = None
    for number in range(rows):
        if not order or random.random() < 1 / LINES_PER_ORDER:
            # A customer from 0, or an order that nobody signed in for, below 0.
            places.pop(min(buyer, -1), None)
            buyer = random.randrange(users) if random.random() < 0.5 else -1 - number
            order = start_order(random, number, rows)
        kind, position = places.get(buyer, (random.randrange(len(KINDS)), int(PER_KIND * random.random() ** 2)))
        if random.random() < 0.2:
            kind, position = (kind + 1) % len(KINDS), int(PER_KIND * random.random() ** 2)
        places[buyer] = (kind, (position + random.choice((1, 1, 1, 2, 3))) % PER_KIND)
        previous = row = make_dirty(
            random, {**order, **make_product(kind, position), "user_id": customer_id(buyer)}, previous
        )
        yield row


def start_order(random: Random, number: int, rows: int) -> Row:
    """The fields that all lines of an order share."""
    # Of a few days in no order, as exports of several tills are.
    moment = FIRST + timedelta(days=DAYS * number / rows + random.random() * 3, seconds=random.randrange(60))
    return {
        "event_time": moment.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "order_id": str(2294359932054536986 + number * 1000 + random.randrange(1000)),
    }


def customer_id(buyer: int) -> str:
    """The id of a buyer, empty for one without a number."""
    return "" if buyer < 0 else str(1515915625440000000 + buyer)


def make_dirty(random: Random, row: Row, previous: Row | None) -> Row:
    """The row, or what a real export might have in its place."""
    dice = random.random()
    if dice < 0.002 and previous:
        return dict(previous)
    if dice < 0.005:
        field, broken = random.choice([("price", "free of charge"), ("event_time", "soon"), ("product_id", "")])
        return row | {field: broken}
    if dice < 0.007:
        row = row | {"price": "0.00"}
    if random.random() < 0.01:
        row = row | {"event_time": "1970-01-01 00:33:40 UTC"}
    if random.random() < 1 / 6:
        row = row | {"category_id": "", "category_code": row["price"], "brand": row["user_id"]}
        row |= {"price": None, "user_id": None}
    return row
