"""The field types of a record: pydantic types that read dirty text and give a reason code when they can't."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from millrace.records import numbers
from millrace.records.numbers import reject
from millrace.records.times import EARLIEST

BLANK_WORDS = {"", "|", "-", "n/a", "na", "nan", "null", "none"}
TRUE, FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}
TIME_FORMATS = ("%Y-%m-%d %H:%M:%S UTC", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d %b %Y")
LATEST_TIME = datetime(2100, 1, 1, tzinfo=UTC)
TEXT_LIMIT, ID_LIMIT = 65_536, 200
FORBIDDEN_CHARACTERS = re.compile("[\0-\x1f\ud800-\udfff]")  # control characters and unpaired surrogates
# A long id that Excel, pandas or a database took for a number and rounded: 1.51592E+18, 1515915625441993984.0, 1e5.
# Several digits before a bare `e`, as in 123e4567, are an id in hexadecimal digits.
ROUNDED_ID = re.compile(
    r"[+-]?(?:[0-9]+\.0+|[0-9](?:\.[0-9]*)?[eE][+-]?[0-9]{1,3}|[0-9]+(?:\.[0-9]*[eE][+-]?|[eE][+-])[0-9]{1,3})"
)
# Where a date ends and a time begins; `fromisoformat` takes any letter there, and an offset for the time of day.
DATE_AND_TIME = re.compile(r"[0-9]{4}-?(?:[0-9]{2}-?[0-9]{2}|W[0-9]{2}(?:-?[0-9])?)(?:[Tt ].+)?")


def parse_id(value: object) -> str:
    """An opaque id: text, or an integer as sources write it; never a float or its text, which have lost digits."""
    allowed = f"an id of 1 to {ID_LIMIT} characters, given as text or a whole number"
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 10**50:
            raise reject("bad_id", value, allowed)
        value = str(value)
    text = value.strip()
    if not 1 <= len(text) <= ID_LIMIT:
        raise reject("bad_id", value, allowed)
    if text.isdecimal():  # most ids of most sources; what is checked below they can't be
        return text
    if not (text.isprintable() or not FORBIDDEN_CHARACTERS.search(text)):
        raise reject("bad_id", value, allowed)
    if text[0] in "0123456789+-" and ROUNDED_ID.fullmatch(text):
        hint = ". It was taken for a number, which loses digits: export the column as text"
        raise reject("bad_id", value, allowed + hint)
    return text


def parse_text(value: object) -> str:
    """Text with its padding taken off; null is what an empty cell of a CSV file is."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise reject("not_text", value, "text")
    if len(value) > TEXT_LIMIT:
        raise reject("text_too_long", f"text of {len(value)} characters", f"at most {TEXT_LIMIT} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise reject("not_text", value, "text without unpaired surrogates") from None
    return value.strip()


def parse_required_text(value: object) -> str:
    """Text that is not empty. Raises PydanticCustomError."""
    result = parse_text(value)
    if not result:
        raise reject("missing", value, "text that is not empty")
    return result


def parse_flag(value: object) -> bool:
    """`True`, `true`, `yes`, `1` and their opposites."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise reject("not_a_flag", value, "true or false (also yes, no, 1, 0)")


def parse_timestamp(value: object) -> datetime:
    """A moment in UTC: ISO 8601, `2020-04-24 11:50:39 UTC`, or month/day/year. Without a zone it is UTC."""
    allowed = "a date from 1970-01-02 to 2099 such as 2017-01-18T20:58:58Z or 2020-04-24 11:50:39 UTC"
    moment = value if isinstance(value, datetime) else None
    if isinstance(value, str) and len(value) <= numbers.MAX_NUMBER_LENGTH:
        stripped = value.strip()
        try:
            moment = parse_iso(stripped)
        except ValueError:
            moment = _try_formats(stripped)
    if moment is None:
        raise reject("not_a_date", value, allowed)
    try:
        if moment.tzinfo is not UTC:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise reject("out_of_range", value, allowed) from None
    if not EARLIEST <= moment < LATEST_TIME:
        raise reject("out_of_range", value, allowed)
    return moment


def _try_formats(value: str) -> datetime | None:
    for form in TIME_FORMATS:
        try:
            return datetime.strptime(value, form)
        except ValueError:
            continue
    return None


def parse_iso(value: str) -> datetime:
    """A moment of ISO 8601, or as BigQuery writes it, `2017-04-06 05:10:57.123 UTC`. Raises ValueError.

    Reads the commonest of FORMATS twenty times as fast as strptime.
    """
    if value[10:11] not in "T " and not DATE_AND_TIME.fullmatch(value):
        raise ValueError("no date, or something else between date and time than T or a blank")
    return datetime.fromisoformat(f"{value[:-4]}Z" if value.endswith(" UTC") else value)


def blank_to_none(value: object) -> object:
    """The ways in which sources write "unknown"; a zero is not one of them."""
    return None if isinstance(value, str) and value.strip().lower() in BLANK_WORDS else value


def _json(kind: str, *examples: Any, **limits: Any) -> WithJsonSchema:
    anything = [{"type": kind, **limits}, {"type": "string", "maxLength": numbers.MAX_NUMBER_LENGTH}]
    return WithJsonSchema({"anyOf": anything, "examples": list(examples)}, mode="validation")


Id = Annotated[str, BeforeValidator(parse_id)]
Text = Annotated[
    str,
    BeforeValidator(parse_text),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": TEXT_LIMIT}, {"type": "null"}]}, mode="validation"),
]
RequiredText = Annotated[str, BeforeValidator(parse_required_text)]
Flag = Annotated[bool, BeforeValidator(parse_flag), _json("boolean", True, "true")]
Timestamp = Annotated[datetime, BeforeValidator(parse_timestamp)]
Money = Annotated[
    float, BeforeValidator(numbers.parse_money), _json("number", 20, "₹1,39,900", minimum=0, maximum=numbers.MAX_NUMBER)
]
Percent = Annotated[float, BeforeValidator(numbers.parse_percent), _json("number", 64, "64%", minimum=0, maximum=100)]
Count = Annotated[
    int, BeforeValidator(numbers.parse_count), _json("integer", 10000, "24,269", minimum=0, maximum=numbers.MAX_COUNT)
]
Hours = Annotated[
    float,
    BeforeValidator(numbers.parse_hours),
    _json("number", 1.5, "4.5 hours", minimum=0, maximum=numbers.MAX_NUMBER),
]
Rating = Annotated[float, BeforeValidator(numbers.parse_rating), _json("number", 4.2, "4.2", minimum=0, maximum=5)]
Blank = BeforeValidator(blank_to_none)
