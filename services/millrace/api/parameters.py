"""Parameters of the path and the query that endpoints share; their errors say what is allowed.

FastAPI collects what the validators raise, and `api/errors.py` answers with the first.
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from millrace.analytics.sales import Days
from millrace.errors import BadInputError
from millrace.pages.board import MAX_MINUTES
from millrace.records.numbers import show
from millrace.records.types import ID_LIMIT

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MAX_N = 100  # items of an answer
MAX_HISTORY_IDS = 1000  # items of a posted history, and of a history that is shown
ALLOWED_ID = f"an id of 1 to {ID_LIMIT} characters"
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def reject(name: str, value: object, allowed: str) -> BadInputError:
    """The error for a value of a field, with what is allowed."""
    return BadInputError(f"{name}: {show(value)} is not usable; allowed: {allowed}.", field=name, allowed=allowed)


def make_error(value: object, allowed: str) -> PydanticCustomError:
    """The same error from a validator, which does not know the field."""
    # pydantic fills in one after the other: the value comes last, as it may hold braces of its own.
    context = {"allowed": allowed, "value": show(value)}
    return PydanticCustomError("bad_input", "{value} is not usable; allowed: {allowed}.", context)


def is_count(value: object, most: int) -> bool:
    """Whether it is a whole number from 1 to `most`."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def describe_count(most: int) -> str:
    """What is allowed where `is_count` says no."""
    return f"a whole number from 1 to {most}"


def parse_count(most: int, text: str) -> int:
    """A whole number from 1 to `most`. Raises PydanticCustomError."""
    value = int(text) if text.isdecimal() and len(text) <= 9 else text
    if not isinstance(value, int) or not is_count(value, most):
        raise make_error(value, describe_count(most))
    return value


def parse_flag(text: str) -> bool:
    """True or false. Raises PydanticCustomError."""
    if text.lower() not in FLAGS:
        raise make_error(text, "true, false")
    return FLAGS[text.lower()]


def parse_choice(allowed: Sequence[str], text: str) -> str:
    """One of several words. Raises PydanticCustomError."""
    if text not in allowed:
        raise make_error(text, ", ".join(allowed))
    return text


def parse_day(text: str) -> date:
    """A day such as 2020-04-24. Raises PydanticCustomError."""
    try:
        if not ISO_DATE.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise make_error(text, "a date such as 2020-04-24") from None


def one_of(allowed: Sequence[str]) -> BeforeValidator:
    """The validator of a parameter that is one of several words; `describe_choice` documents it."""
    return BeforeValidator(partial(parse_choice, allowed))


def describe_choice(allowed: Sequence[str]) -> dict[str, object]:
    """What the document says of such a parameter."""
    return {"enum": list(allowed)}


def to_days(first: date | None, last: date | None) -> Days:
    """The days from the first to the last, both included. Raises BadInputError where they end before they begin."""
    if first and last and last < first:
        allowed = f"a date from {first} on"
        raise BadInputError(f"to: {show(str(last))} is before from; allowed: {allowed}.", field="to", allowed=allowed)
    return Days(first, last)


def to_id(value: object, name: str) -> str:
    """An id as text; a whole number is taken for its digits. Raises BadInputError."""
    value = str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**50 else value
    if not isinstance(value, str) or not 1 <= len(value) <= ID_LIMIT:
        raise reject(name, value, ALLOWED_ID)
    return value


def parse_id(text: str) -> str:
    """An id; `IdRoute` has seen that it is UTF-8. Raises PydanticCustomError."""
    if not 1 <= len(text) <= ID_LIMIT:
        raise make_error(text, ALLOWED_ID)
    return text


async def read_body(request: Request) -> bytes:
    """The bytes of the body. Raises TooLargeError and the like before what comes after it among the dependencies."""
    return await request.body()


def count_up_to(most: int) -> BeforeValidator:
    """The validator of a whole number from 1 to `most`."""
    return BeforeValidator(partial(parse_count, most))


# The limits of ids stand in the document only: `parse_id` checks them with a sentence of our own.
IdInPath = Annotated[str, Path(json_schema_extra={"minLength": 1}), BeforeValidator(parse_id)]
IdInQuery = Annotated[str, Query(json_schema_extra={"minLength": 1, "maxLength": ID_LIMIT}), BeforeValidator(parse_id)]
ItemCount = Annotated[int, Query(ge=1, le=MAX_N), count_up_to(MAX_N)]
HistoryCount = Annotated[int, Query(ge=1, le=MAX_HISTORY_IDS), count_up_to(MAX_HISTORY_IDS)]
Minutes = Annotated[int, Query(ge=1, le=MAX_MINUTES), count_up_to(MAX_MINUTES)]
KeepKnown = Annotated[bool, Query(), BeforeValidator(parse_flag)]
FirstDay = Annotated[
    date | SkipJsonSchema[None],
    Query(alias="from", description="The first day in UTC, itself included."),
    BeforeValidator(parse_day),
]
LastDay = Annotated[
    date | SkipJsonSchema[None],
    Query(alias="to", description="The last day in UTC, itself included."),
    BeforeValidator(parse_day),
]
RawBody = Annotated[bytes, Depends(read_body)]
PathName = Annotated[str, Path(json_schema_extra={"minLength": 1})]
