"""The messages of a recommender's deltas topic: keys and JSON values, absolute ones, so that repeats are harmless.

    <version>/user/<id>               {"items": [numbers, or ids that the version does not know]}, oldest first
    <version>/column/<item>.<block>   {"rows": [numbers], "added": [units]}: transitions from these rows to the item
    <version>/popular                 {"items": [numbers], "lately": [events], "whole": [events]}
    <version>/watermark               {"offsets": {partition: next}, "at": seconds, "newest": seconds or null,
                                       "accepted": n, "repeated": n, "unlinked": n, "error": sentence or null,
                                       "format": FORMAT}

All count what was added since the version's snapshot. One event changes cells of one item's columns only. `at` says
that every record that had arrived by then is in; `newest` is when the newest one arrived.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

DELTA_FORMAT = 1  # of the messages; a process publishes anew what one of another format has published
BLOCK_ITEMS = 1024  # rows of a message
MAX_TAIL_ITEMS = 1000  # newest items of a user that are published


def user_message(version: str, user: str, items: Sequence[int | str]) -> tuple[str, bytes]:
    """The newest items of a user."""
    return f"{version}/user/{user}", orjson.dumps({"items": items})


def column_message(version: str, item: int, block: int, cells: Mapping[int, int]) -> tuple[str, bytes]:
    """The cells of a block of an item's column."""
    rows = sorted(cells)
    value = {"rows": rows, "added": [cells[row] for row in rows]}
    return f"{version}/column/{item}.{block}", orjson.dumps(value)


def popularity_message(version: str, counts: Mapping[int, Sequence[int]]) -> tuple[str, bytes]:
    """What was added to the popularity of items: `counts` are (in the window, of all time)."""
    items = sorted(counts)
    lately, whole = ([counts[item][place] for item in items] for place in (0, 1))
    return f"{version}/popular", orjson.dumps({"items": items, "lately": lately, "whole": whole})


def watermark_message(version: str, **values: Any) -> tuple[str, bytes]:
    """How far the version has read."""
    return f"{version}/watermark", orjson.dumps(values)


def split_key(key: str) -> tuple[str, str, str]:
    """Version, kind and the rest of a key."""
    version, _, rest = key.partition("/")
    kind, _, name = rest.partition("/")
    return version, kind, name
