"""What tells an event from the same event once more: 8 bytes of its identity fields, alike in training and online."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson

from millrace.records.times import to_micros


def to_plain(value: object) -> object:
    """A time as microseconds since 1970 UTC, which is what the lake keeps of it; else the value."""
    return to_micros(value) if isinstance(value, datetime) else value


def identity_hash(values: Iterable[Any]) -> int:
    """The hash of plain values, in the identity's order; two different events share one in 10 ** 19 pairs."""
    return int.from_bytes(blake2b(orjson.dumps(list(values)), digest_size=8).digest(), "big")


def record_hash(record: Mapping[str, Any], identity: tuple[str, ...]) -> int:
    """The hash of a checked record."""
    return identity_hash(to_plain(record[name]) for name in identity)


def contains(hashes: np.ndarray, value: int) -> bool:
    """Whether a sorted uint64 array has it."""
    wanted = np.uint64(value)
    index = int(np.searchsorted(hashes, wanted))
    return index < len(hashes) and hashes[index] == wanted
