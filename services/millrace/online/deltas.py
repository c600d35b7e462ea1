"""The messages of a recommender's deltas topic: keys and JSON values, absolute ones, so that repeats are harmless.

    <model>/<version>/user/<id>               {"items": [numbers, or ids that the version does not know]}, oldest first
    <model>/<version>/column/<item>.<block>   {"rows": [numbers], "added": [units]}: transitions from these rows to the
                                              item
    <model>/<version>/popular/<block>         {"items": [numbers], "lately": [events], "whole": [events]}
    <model>/<version>/watermark               {"offsets": {partition: next}, "at": seconds, "newest": seconds or
                                              null, "accepted": n, "repeated": n, "unlinked": n, "error": sentence or
                                              null, "format": FORMAT}

All count what was added since the version's snapshot. One event changes cells of one item's columns only. `at` says
that every record that had arrived by then is in; `newest` is when the newest one arrived.

A model is a scope with one writer at a time (millrace.messaging.fence). Releases before that have published the same
without `<model>/`, and all of popularity in one message.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

DELTA_FORMAT = 2  # of the messages; a process publishes anew what one of another format has published
BLOCK_ITEMS = 1024  # rows of a message
POPULAR_BLOCK_ITEMS = 8192  # items of a message of popularity
MAX_TAIL_ITEMS = 1000  # newest items of a user that are published: ids have at most 200 characters, so 1.2 MB
KINDS = {"user", "column", "popular", "watermark"}


def version_prefix(model: str, version: str) -> str:
    """What the keys of a version begin with, before a slash."""
    return f"{model}/{version}"


def user_message(prefix: str, user: str, items: Sequence[int | str]) -> tuple[str, bytes]:
    """The newest items of a user."""
    return f"{prefix}/user/{user}", orjson.dumps({"items": items})


def column_message(prefix: str, item: int, block: int, cells: Mapping[int, int]) -> tuple[str, bytes]:
    """The cells of a block of an item's column."""
    rows = sorted(cells)
    value = {"rows": rows, "added": [cells[row] for row in rows]}
    return f"{prefix}/column/{item}.{block}", orjson.dumps(value)


def popularity_message(prefix: str, block: int, counts: Mapping[int, Sequence[int]]) -> tuple[str, bytes]:
    """What was added to the popularity of a block of items: `counts` are (in the window, of all time)."""
    items = sorted(counts)
    lately, whole = ([counts[item][place] for item in items] for place in (0, 1))
    return f"{prefix}/popular/{block}", orjson.dumps({"items": items, "lately": lately, "whole": whole})


def watermark_key(prefix: str) -> str:
    """The key of how far a version is."""
    return f"{prefix}/watermark"


def watermark_message(prefix: str, **values: Any) -> tuple[str, bytes]:
    """How far the version has read."""
    return watermark_key(prefix), orjson.dumps(values)


def is_whole(watermark: bytes) -> bool:
    """Whether all of a version's state is published where this is its watermark, in this format."""
    values = orjson.loads(watermark)
    return values.get("format") == DELTA_FORMAT and not values.get("error")


class DeltaKey(NamedTuple):
    """The parts of a key; `model` is "" in those of releases that had none."""

    model: str
    version: str
    kind: str
    name: str


def split_key(key: str) -> DeltaKey:
    """The parts of a key."""
    first, _, rest = key.partition("/")
    second, _, name = rest.partition("/")
    if second in KINDS:
        return DeltaKey("", first, second, name)
    kind, _, name = name.partition("/")
    return DeltaKey(first, second, kind, name)
