"""Generated pages: sites about several subjects, with their words."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from millrace.workloads.base import Row

SUBJECTS = ("news", "shop", "code", "video")
FIRST = datetime(2023, 5, 17, tzinfo=UTC)


def generate(random: Random, rows: int) -> Iterator[Row]:
    for number in range(rows):
        subject = random.choice(SUBJECTS)
        yield {
            "creation_time": (FIRST + timedelta(seconds=number)).strftime("%Y-%m-%d %H:%M:%S"),
            "id": str(1_761_000_000 + number),
            "url": f"https://www.{subject}{random.randrange(9)}.com/{subject}/{number}",
            "title": f"{subject} page {number}",
            "keywords": subject if random.random() < 0.25 else "",
            "description": "",
        }
