"""Reading numbers that people wrote: money, counts, percentages, durations.

Each function takes what a source or a caller gave and returns a finite float or an int; it raises
PydanticCustomError whose `type` is the reason code under which a row is rejected.
"""

import math
import re
from typing import LiteralString

from pydantic_core import PydanticCustomError

from millrace.runtime.text import show_value

WESTERN = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
INDIAN = re.compile(r"\d{1,2}(,\d{2})*,\d{3}(\.\d+)?")
PLAIN = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?")
CURRENCY = re.compile(r"^(₹|\$|€|£|Rs\.?|INR|USD|EUR|GBP)\s*|\s*(₹|\$|€|£|INR|USD|EUR|GBP)$", re.IGNORECASE)
DURATION = re.compile(
    r"(?:(?P<hours>[0-9]+(?:\.[0-9]+)?)\s*(?:h|hrs?|hours?))?"
    r"\s*(?:(?P<minutes>[0-9]+(?:\.[0-9]+)?)\s*(?:m|mins?|minutes?))?",
    re.IGNORECASE,
)
# Most numbers of most sources: no sign, no unit, within every limit. What matches needs no other check.
match_simple = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?").fullmatch
MAX_COUNT = 2**53 - 1  # every language and every float holds it exactly; 2**53 + 1 would become 2**53
MAX_NUMBER = 1e12  # the largest amount or duration
MAX_NUMBER_LENGTH = 64  # characters of a number; more is not a number but a mistake, and int() would be slow on it


def reject(code: LiteralString, value: object, allowed: str) -> PydanticCustomError:
    """An error that says what was given and what is allowed."""
    return PydanticCustomError(
        code, "{shown} is not usable; allowed: {allowed}", {"shown": show(value), "allowed": allowed}
    )


def show(value: object) -> str:
    """A value as a message shows it, at most 80 characters of it."""
    return show_value(value)


def parse_number(
    value: object, code: LiteralString = "not_a_number", allowed: str = "a number such as 1200, 1,200 or 4.5"
) -> float:
    """A finite float from a number or its text, with western (1,399,000) or Indian (13,99,000) grouping."""
    if isinstance(value, bool) or value is None:
        raise reject(code, value, allowed)
    if isinstance(value, (int, float)):
        try:
            result = float(value)
        except OverflowError:
            raise reject(code, "an integer of too many digits", allowed) from None
    else:
        if not isinstance(value, str):
            raise reject(code, value, allowed)
        if match_simple(value):
            return float(value)
        text = value.strip()
        if len(text) > MAX_NUMBER_LENGTH or not text.isascii():
            raise reject(code, value, allowed)
        if "," in text:
            if not (WESTERN.fullmatch(text) or INDIAN.fullmatch(text)):
                raise reject("bad_grouping", value, "groups as in 1,399,000 or 13,99,000, with a decimal point")
            text = text.replace(",", "")
        elif not PLAIN.fullmatch(text):
            raise reject(code, value, allowed)
        result = float(text)
    if not math.isfinite(result):
        raise reject(code, value, allowed)
    return result


def parse_money(value: object) -> float:
    """An amount in the source's own currency: `₹1,39,900`, `$20`, `20`, `Free` (0)."""
    allowed = "an amount of 0 or more such as 20, ₹1,39,900 or Free"
    if isinstance(value, str):
        if match_simple(value):
            return float(value)
        text = value.strip()
        if len(text) > MAX_NUMBER_LENGTH:  # before CURRENCY, whose search is quadratic in a run of blanks
            raise reject("not_money", value, allowed)
        if text.lower() == "free":
            return 0.0
        value = CURRENCY.sub("", text)
    return check_range(parse_number(value, "not_money", allowed), allowed)


def parse_percent(value: object) -> float:
    """Per cent, 0 to 100: `64%` and `64` are both 64.0."""
    allowed = "a percentage from 0 to 100 such as 64% or 64"
    if isinstance(value, str):
        value = value.strip().removesuffix("%")
    result = parse_number(value, "not_a_percentage", allowed)
    if not 0 <= result <= 100:
        raise reject("out_of_range", result, allowed)
    return result


def parse_count(value: object) -> int:
    """A whole number from 0 to MOST_COUNT: `24,269`, `10000`."""
    if isinstance(value, str) and len(value) <= 15 and value.isascii() and value.isdigit():
        return int(value)
    allowed = "a whole number of 0 or more such as 24269 or 24,269"
    result = parse_number(value, "not_a_count", allowed)
    if result != int(result):
        raise reject("not_a_count", value, allowed)
    if not 0 <= result <= MAX_COUNT:
        raise reject("out_of_range", value, f"{allowed}, at most {MAX_COUNT}")
    return int(result)


def parse_hours(value: object) -> float:
    """A duration in hours: `1.5`, `4.5 hours`, `43 mins`, `1h 30m`."""
    allowed = "a duration of 0 or more such as 1.5, 4.5 hours, 43 mins or 1h 30m"
    if isinstance(value, str) and len(value) <= MAX_NUMBER_LENGTH:
        if match_simple(value):
            return float(value)
        match = DURATION.fullmatch(value.strip())
        if match and (match["hours"] or match["minutes"]):
            return check_range(float(match["hours"] or 0) + float(match["minutes"] or 0) / 60, allowed)
    return check_range(parse_number(value, "not_a_duration", allowed), allowed)


def parse_rating(value: object) -> float:
    """A rating of 0 to 5 stars."""
    allowed = "a rating from 0 to 5 such as 4.2"
    result = parse_number(value, "not_a_rating", allowed)
    if not 0 <= result <= 5:
        raise reject("out_of_range", result, allowed)
    return result


def check_range(value: float, allowed: str, most: float = MAX_NUMBER) -> float:
    """The value, where it is from 0 to `most`. Raises PydanticCustomError."""
    if not 0 <= value <= most:
        raise reject("out_of_range", value, f"{allowed}, at most {most:g}")
    return value
