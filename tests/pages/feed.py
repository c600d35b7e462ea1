"""What a stream of pages would publish, made by hand: windows of ten seconds, four clusters with their words."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

WORDS = ["news world politics", "shop price cart", "code python release", "video music live"]
Message = tuple[str, dict[str, Any] | None]


def iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def window(start: datetime, counts: dict[int, int], seconds: int = 10) -> Message:
    result = {"start": iso(start), "seconds": seconds, "total": sum(counts.values())}
    return f"window/{iso(start)}", {**result, "counts": {str(number): count for number, count in counts.items()}}


def cluster(number: int, **more: Any) -> Message:
    words = WORDS[number % 4].split()
    result = {
        "cluster": number,
        "label": " ".join(words[:2]),
        "size": 1000 * (number + 1),
        "share": 0.25,
        "words": [[word, 300 - 90 * position] for position, word in enumerate(words)],
        "hosts": [[f"{word}.example.com", 120 - 40 * position] for position, word in enumerate(words)],
        "examples": [
            {"url": f"https://{words[0]}.example.com/{position}", "title": f"{words[1]} {position}", "at": None}
            for position in range(3)
        ],
    }
    return f"cluster/{number}", result | more


def stream(watermark: datetime, **more: Any) -> Message:
    result = {"version": "20261122T040000Z-0123abcd", "batch": 41, "rows": 812, "rows_per_second": 203.5}
    result |= {"watermark": iso(watermark), "at": iso(watermark), "psi": 0.034, "inertia_ratio": 1.02, "moved": 0.11}
    return "stream", result | {"offsets": {"0": 812}} | more


def history(end: datetime, windows: int, seed: int = 1) -> list[Message]:
    """Everything of a stream that has run for so many windows up to `end`, its shares on the move."""
    random, result = Random(seed), [cluster(number) for number in range(4)]
    for index in range(windows):
        start = end - timedelta(seconds=10 * (windows - index))
        drawn = [(1 + number + index * (number == 2) / windows * 4) * random.uniform(80, 120) for number in range(4)]
        result.append(window(start, {number: int(count) for number, count in enumerate(drawn)}))
    return [*result, stream(end)]


def encoded(message: Message) -> tuple[str, bytes | None]:
    key, value = message
    return key, None if value is None else json.dumps(value).encode()


def apply(board, *messages: Message) -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    for message in messages:
        board.apply(*encoded(message), now)
