"""Generated pages: themes with their own hosts, words and paths, whose shares drift, and the dirt of real exports."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar
from urllib.parse import quote

from millrace.workloads.base import Row
from millrace.workloads.urls.themes import COMMON, THEMES, Theme

T = TypeVar("T")
FIRST = datetime(2023, 5, 17, 20, 21, 51, tzinfo=UTC)
PER_SECOND = 40
FIELDS = ("creation_time", "id", "url", "title", "keywords", "description")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
BROKEN = (
    ("url", ""),
    ("url", ""),
    ("url", "javascript:void(0)"),
    ("url", "chrome://newtab/"),
    ("url", "https:///index.html"),
    ("creation_time", "soon"),
    ("creation_time", ""),
    ("id", ""),
)


def generate(random: Random, rows: int) -> Iterator[Row]:
    """`rows` rows: of a thousand about 3 exact duplicates and 10 that can't be used, half of these without a URL."""
    return (row for _, row in generate_themed(random, rows))


def generate_themed(random: Random, rows: int) -> Iterator[tuple[str, Row]]:
    """(theme, row) of each page: what a clustering can be compared with, and no record says."""
    previous: tuple[str, Row] | None = None
    for number in range(rows):
        theme = random.choices(THEMES, theme_shares(number / rows))[0]
        themed_row = theme.name, make_page(random, theme, number)
        dice = random.random()
        if dice < 0.003 and previous:
            themed_row = previous[0], dict(previous[1])
        elif dice < 0.013:
            field, broken = random.choice(BROKEN)
            themed_row[1][field] = broken
        previous = themed_row
        yield themed_row


def theme_shares(passed: float) -> list[float]:
    """How often each theme comes when so much of all has passed, 0 to 1: some grow, some shrink."""
    return [theme.share * math.exp(0.4 * math.sin(2 * math.pi * passed + turn)) for turn, theme in enumerate(THEMES)]


def make_page(random: Random, theme: Theme, number: int) -> Row:
    """One clean row, as text."""
    host, site = choose_zipf(random, theme.hosts)
    words_of_title = [
        choose_zipf(random, theme.words if random.random() < 0.85 else COMMON) for _ in range(random.randint(3, 8))
    ]
    title = " ".join(words_of_title).capitalize()
    keywords = random.sample(theme.words, random.randint(2, 7)) if random.random() < 0.25 else []
    moment = FIRST + timedelta(seconds=number / PER_SECOND + random.random() * 3)
    return {
        "creation_time": moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "000",
        "id": str(1_761_000_000 + number * 3 + random.randrange(3)),
        "url": make_address(random, theme, host, words_of_title, number),
        "title": f"{title}{random.choice([' - ', ' | ', ' – '])}{site}" if random.random() < 0.8 else title,
        "keywords": ", ".join(keywords),
        "description": f"{title}. {' '.join(random.sample(theme.words, 5))}." if random.random() < 0.9 else "",
    }


def make_address(random: Random, theme: Theme, host: str, words_of_title: list[str], number: int) -> str:
    """A URL of the theme's shapes: one in five carries a campaign's parameters, one in fifty an explicit port."""
    slug = "-".join(words_of_title)
    path = random.choice(theme.paths).format(
        slug=slug if random.random() < 0.02 else quote(slug),  # some browsers report what was typed
        word=quote(random.choice(theme.words)),
        other=quote(random.choice(theme.words)),
        number=number * 7 + random.randrange(7),
        day=f"2023/{random.randint(1, 12):02}/{random.randint(1, 28):02}",
        code=random_text(random, 11),
    )
    if random.random() < 0.2:
        length = random.choice([60, 120, 300])
        path += f"{'&' if '?' in path else '?'}utm_source={random.choice(['fb', 'mail', 'ads'])}&utm_medium=cpc"
        path += f"&utm_campaign={words_of_title[0]}&fbclid={random_text(random, length)}"
    dice = random.random()
    if dice < 0.01:
        return f"{host}:443{path}"
    return f"{'http' if dice < 0.1 else 'https'}://{host}{':443' if 0.1 <= dice < 0.11 else ''}{path}"


def choose_zipf(random: Random, of: Sequence[T]) -> T:
    """One of them, the first ones oftener: its place is uniform on a logarithmic scale."""
    return of[int(len(of) ** random.random()) - 1]


def random_text(random: Random, length: int) -> str:
    """Random letters and digits."""
    return "".join(random.choices(LETTERS, k=length))
