"""Generated products: the formats, the groups and the dirt of a real listing, from nothing but a seed."""

import math
from collections.abc import Iterator
from random import Random

from millrace.workloads.base import Row

CATEGORIES = {
    "Computers&Accessories|Cables|USBCables": (5.6, "USB-C cable"),
    "Electronics|HomeTheater|Televisions": (10.0, "smart television"),
    "Electronics|Headphones|In-Ear": (7.0, "in-ear headphones"),
    "Home&Kitchen|Kettles": (6.8, "electric kettle"),
}
REVIEWS = [
    'Good, "as described"',
    "Worth it\\nmostly",
    "Stopped after a week, sadly",
    "कमाल, five stars",
    "Ok ok",
]


def format_rupees(amount: float, indian: bool) -> str:
    """`₹1,399` or, with Indian grouping, `₹1,39,900`."""
    whole = str(round(amount))
    head, tail = whole[:-3], whole[-3:]
    if not head:
        return f"₹{tail}"
    if not indian:
        return f"₹{int(whole):,}"
    groups = []
    while head:
        groups.insert(0, head[-2:])
        head = head[:-2]
    return f"₹{','.join([*groups, tail])}"


def make_product(random: Random, number: int) -> Row:
    """One clean row, as text."""
    category, (scale, noun) = random.choice(list(CATEGORIES.items()))
    actual = math.exp(random.gauss(scale, 0.7))
    percentage = random.choice([random.randrange(0, 30), random.randrange(40, 60), random.randrange(65, 95)])
    reviewers = [f"R{random.randrange(10**9):09d}" for _ in range(random.randrange(1, 5))]
    identity = f"B{number:09d}"
    return {
        "product_id": identity,
        "product_name": f"Example {noun}, model {number}, 1 piece (black)",
        "category": category,
        "discounted_price": format_rupees(actual * (1 - percentage / 100), True),
        "actual_price": format_rupees(actual, True),
        "discount_percentage": f"{percentage}%",
        "rating": f"{min(5.0, max(2.0, random.gauss(4.1, 0.3))):.1f}",
        "rating_count": f"{int(math.exp(random.gauss(8, 1.8))):,}",
        "about_product": f'Made to last|Model {number}|Says "plug in, switch on"',
        "user_id": ",".join(f"U{reviewer}" for reviewer in reviewers),
        "user_name": ",".join("Asha" for _ in reviewers),
        "review_id": ",".join(reviewers),
        "review_title": ",".join(random.choice(REVIEWS) for _ in reviewers),
        "review_content": " ".join(random.choice(REVIEWS) for _ in reviewers),
        "img_link": f"https://images.example/{identity}.jpg",
        "product_link": f"https://shop.example/{identity}",
    }


def generate(random: Random, rows: int) -> Iterator[Row]:
    """`rows` rows; of a thousand about 2 `|` ratings, 2 blank counts, 20 conflicts, 5 repeats, 4 broken values."""
    earlier: list[Row] = []
    for number in range(rows):
        row = make_product(random, number)
        dice = random.random()
        if dice < 0.002:
            row["rating"] = "|"
        elif dice < 0.004:
            row["rating_count"] = ""
        elif dice < 0.024 and earlier:
            count = str(random.randrange(10, 99_999))
            row = {**random.choice(earlier), "rating_count": count}
        elif dice < 0.029 and earlier:
            row = dict(earlier[-1])
        elif dice < 0.033:
            field, broken = random.choice(
                [("discounted_price", "₹12,34"), ("discount_percentage", "164%"), ("rating", "51.7")]
            )
            row[field] = broken
        earlier = [*earlier[-50:], row]
        yield row
