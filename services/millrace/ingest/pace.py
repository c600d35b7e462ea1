"""Replaying a file as a live source would send it."""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from millrace.errors import BadInputError

T = TypeVar("T")
UNIT_S = {"s": 1, "m": 60, "h": 3600}


def parse_rate(text: str) -> float:
    """Rows per second from `100/s`, `30/m` or `100`. Raises BadInputError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/([smh]))?", text.strip())
    if not match or not 0 < float(match[1]) <= 10_000_000:
        raise BadInputError(
            f"--rate {text!r} is not a rate; allowed: rows per time such as 100/s, 30/m or 5/h, more than 0.",
            field="rate",
            allowed="100/s, 30/m, 5/h",
        )
    return float(match[1]) / UNIT_S[match[2] or "s"]


def throttle(
    items: Iterable[T], per_second: float, random_pauses: bool = False, sleep: Callable[[float], None] = time.sleep
) -> Iterator[T]:
    """Items at a steady rate, or with exponential pauses of that mean, as independent arrivals have."""
    due = time.monotonic()
    for item in items:
        wait = due - time.monotonic()
        if wait > 0:
            sleep(wait)
        yield item
        due += random.expovariate(per_second) if random_pauses else 1 / per_second
