"""Files of sequences: `user item item ...` a line, or JSON lines with a user, its items and perhaps their times."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from math import isfinite
from typing import Any

import orjson

from millrace.errors import BadInputError
from millrace.recommend.sequences import Sequences, number_sequences
from millrace.records.json_rows import array_error, find_repeated_key, multiline_error
from millrace.records.lines import LongLine, Source
from millrace.records.opening import open_source
from millrace.records.times import MARGIN_S, arrival_s
from millrace.records.types import parse_iso

USER_KEYS = ("user_id", "user", "id")
ITEM_KEYS = ("items", "course_order", "sequence")
TIME_KEYS = ("times", "enroll_time", "timestamps")
Progress = Callable[[float, float | None], None]


def read_sequences(path: str, progress: Progress = lambda done, total: None) -> Sequences:
    """The sequences of a file, oldest first, each item of a user once; .gz is unpacked, - is standard input.

    Raises BadInputError that names the line: a file of sequences is a benchmark, of which nothing may go missing.
    """
    users: set[str] = set()
    histories: list[list[str]] = []
    times: list[list[float]] = []
    with open_source(path) as source:
        for number, user, items, when in _read_lines(source):
            if user in users:
                raise _bad_line(
                    source, number, f"user {user!r} was there before; allowed: all items of a user in one line"
                )
            if histories and (when is None) == bool(times):
                raise _bad_line(source, number, "some lines have times and some have none; allowed: all or none")
            users.add(user)
            histories.append(items)
            if when is not None:
                times.append(when)
            progress(source.position, source.size)
        if not histories:
            raise BadInputError(f"{source.name} holds no sequence.", code="bad_sequence", field="sequences")
    return number_sequences(histories, times or None).distinct()


def _bad_line(source: Source, number: int, sentence: str) -> BadInputError:
    return BadInputError(f"{source.name}, line {number}: {sentence}.", code="bad_sequence", field="sequences")


def _read_lines(source: Source) -> Iterator[tuple[int, str, list[str], list[float] | None]]:
    for number, line in enumerate(source.lines(), start=1):
        if isinstance(line, LongLine):
            raise _bad_line(source, number, "the line is too long to be a sequence")
        if not (text := line.strip()):
            continue
        if text == "{":
            raise multiline_error(source)
        if text == "[" or text.startswith("[{"):
            raise array_error(source)
        if text.startswith("{"):
            yield number, *_parse_json(source, number, text)
            continue
        if not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text):
            raise _bad_line(source, number, "it is not UTF-8")
        user, *items = text.split()
        yield number, user, items, None


def _parse_json(source: Source, number: int, text: str) -> tuple[str, list[str], list[float] | None]:
    try:
        values: dict[str, Any] = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise _bad_line(source, number, f"not JSON: {error}") from None
    if fault := find_repeated_key(text, values):
        raise _bad_line(source, number, fault[1])
    user, items, when = (_first_value(values, names) for names in (USER_KEYS, ITEM_KEYS, TIME_KEYS))
    if not _is_id(user) or not isinstance(items, list):
        raise _bad_line(
            source, number, f"allowed: one of {', '.join(USER_KEYS)} and a list in one of {', '.join(ITEM_KEYS)}"
        )
    if not all(_is_id(item) for item in items):
        raise _bad_line(source, number, "an item is neither text nor a whole number")
    if when is None:
        return str(user), [str(item) for item in items], None
    if not isinstance(when, list) or len(when) != len(items):
        raise _bad_line(source, number, "there must be one time for each item")
    return str(user), [str(item) for item in items], [_parse_seconds(source, number, one) for one in when]


def _first_value(values: Mapping[str, object], names: tuple[str, ...]) -> object:
    return next((values[name] for name in names if name in values), None)


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _parse_seconds(source: Source, number: int, value: object) -> float:
    """Seconds since 1970-01-01 UTC, of a number or of an ISO 8601 text; one without a zone is UTC."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            seconds = float(value)
        else:
            moment = parse_iso(value)  # pyright: ignore[reportArgumentType] - else a TypeError
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise _bad_line(source, number, f"{value!r} is not a time; allowed: seconds or ISO 8601") from None
    # As in records, the newest time is "now" for windows and splits. There is no earliest: some data sets count from 0.
    if seconds > arrival_s() + MARGIN_S:
        allowed = f"seconds since 1970 or ISO 8601, at most {MARGIN_S // 3600} hours after now"
        raise _bad_line(source, number, f"{value!r} is in the future; allowed: {allowed}")
    return seconds
