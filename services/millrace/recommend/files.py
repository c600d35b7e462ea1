"""Files of sequences: `user item item ...` a line, or JSON lines with a user, its items and perhaps their times."""

from collections.abc import Callable, Iterator
from datetime import UTC
from math import isfinite
from typing import Any

import orjson

from millrace.errors import BadInput
from millrace.recommend.sequences import Sequences, numbered
from millrace.records.json_rows import array, repeated_key, several_lines
from millrace.records.lines import LongLine, Source
from millrace.records.opening import opened
from millrace.records.times import MARGIN_S, now_s
from millrace.records.types import iso_moment

USER = ("user_id", "user", "id")
ITEMS = ("items", "course_order", "sequence")
TIMES = ("times", "enroll_time", "timestamps")
Progress = Callable[[float, float | None], None]


def read(path: str, progress: Progress = lambda done, total: None) -> Sequences:
    """The sequences of a file, oldest first, each item of a user once; .gz is unpacked, - is standard input.

    Raises BadInput that names the line: a file of sequences is a benchmark, of which nothing may go missing.
    """
    users: set[str] = set()
    histories: list[list[str]] = []
    times: list[list[float]] = []
    with opened(path) as source:
        for number, user, items, when in _lines(source):
            if user in users:
                raise _bad(source, number, f"user {user!r} was there before; allowed: all items of a user in one line")
            if histories and (when is None) == bool(times):
                raise _bad(source, number, "some lines have times and some have none; allowed: all or none")
            users.add(user)
            histories.append(items)
            if when is not None:
                times.append(when)
            progress(source.position, source.size)
        if not histories:
            raise BadInput(f"{source.name} holds no sequence.", code="bad_sequence", field="sequences")
    return numbered(histories, times or None).distinct()


def _bad(source: Source, number: int, sentence: str) -> BadInput:
    return BadInput(f"{source.name}, line {number}: {sentence}.", code="bad_sequence", field="sequences")


def _lines(source: Source) -> Iterator[tuple[int, str, list[str], list[float] | None]]:
    for number, line in enumerate(source.lines(), start=1):
        if isinstance(line, LongLine):
            raise _bad(source, number, "the line is too long to be a sequence")
        if not (text := line.strip()):
            continue
        if text == "{":
            raise several_lines(source)
        if text == "[" or text.startswith("[{"):
            raise array(source)
        if text.startswith("{"):
            yield number, *_from_json(source, number, text)
            continue
        if not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text):
            raise _bad(source, number, "it is not UTF-8")
        user, *items = text.split()
        yield number, user, items, None


def _from_json(source: Source, number: int, text: str) -> tuple[str, list[str], list[float] | None]:
    try:
        values: dict[str, Any] = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise _bad(source, number, f"not JSON: {error}") from None
    if fault := repeated_key(text, values):
        raise _bad(source, number, fault[1])
    user, items, when = (_first(values, names) for names in (USER, ITEMS, TIMES))
    if not _is_id(user) or not isinstance(items, list):
        raise _bad(source, number, f"allowed: one of {', '.join(USER)} and a list in one of {', '.join(ITEMS)}")
    if not all(_is_id(item) for item in items):
        raise _bad(source, number, "an item is neither text nor a whole number")
    if when is None:
        return str(user), [str(item) for item in items], None
    if not isinstance(when, list) or len(when) != len(items):
        raise _bad(source, number, "there must be one time for each item")
    return str(user), [str(item) for item in items], [_seconds(source, number, one) for one in when]


def _first(values: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if name in values), None)


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _seconds(source: Source, number: int, value: object) -> float:
    """Seconds since 1970-01-01 UTC, of a number or of an ISO 8601 text; one without a zone is UTC."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            seconds = float(value)
        else:
            moment = iso_moment(value)  # pyright: ignore[reportArgumentType] - else a TypeError
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise _bad(source, number, f"{value!r} is not a time; allowed: seconds or ISO 8601") from None
    # As in records, the newest time is "now" for windows and splits. There is no earliest: some data sets count from 0.
    if seconds > now_s() + MARGIN_S:
        allowed = f"seconds since 1970 or ISO 8601, at most {MARGIN_S // 3600} hours after now"
        raise _bad(source, number, f"{value!r} is in the future; allowed: {allowed}")
    return seconds
