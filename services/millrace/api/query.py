"""Parameters and bodies of recommender and sales requests, and their limits."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote_to_bytes

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from millrace.analytics.sales import Days
from millrace.api.rows import parse_json
from millrace.errors import BadInputError, TooLargeError
from millrace.records.numbers import show
from millrace.records.types import ID_LIMIT

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What stands for bytes that are no UTF-8, and may be part of an id by itself."""
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MAX_N = 100  # items of an answer
MAX_HISTORY_IDS = 1000  # items of a posted history, and of a history that is shown
MAX_USERS = 1000  # users of one request
EITHER = [
    {"required": ["history"], "properties": {"history": {"type": "array"}}},
    {"required": ["users"], "properties": {"users": {"type": "array"}}},
]
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class QuestionBody(BaseModel):
    """A question: the history of somebody without an id, or many users at once."""

    model_config = ConfigDict(extra="forbid")

    history: list[str | int] | None = Field(None, max_length=MAX_HISTORY_IDS, description="Item ids, oldest first.")
    users: list[str | int] | None = Field(None, max_length=MAX_USERS, description="User ids, answered in this order.")
    n: int | None = Field(None, ge=1, le=MAX_N)
    keep_known: bool = Field(False, description="Whether items of the history may be answered too.")


@dataclass(frozen=True)
class Question:
    """A checked `Wanted`: one of `history` and `users` is there, ids are text, `n` has its default."""

    history: list[str] | None
    users: list[str] | None
    n: int
    keep_known: bool


def reject(name: str, value: object, allowed: str) -> BadInputError:
    """The error for a value of a field, with what is allowed."""
    return BadInputError(f"{name}: {show(value)} is not usable; allowed: {allowed}.", field=name, allowed=allowed)


def read_number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query. Raises BadInputError that names it and its limits."""
    value = request.query_params.get(name)
    if value is None:
        return default
    return check_number(value if not value.isdecimal() or len(value) > 9 else int(value), name, most)


def check_number(value: object, name: str, most: int) -> int:
    """A whole number from 1 to `most`. Raises BadInputError that names it."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise reject(name, value, f"a whole number from 1 to {most}")
    return value


def read_flag(request: Request, name: str) -> bool:
    """A parameter that is true or false, false where it is not given. Raises BadInputError."""
    value = request.query_params.get(name, "false")
    if value.lower() not in FLAGS:
        raise reject(name, value, "true, false")
    return FLAGS[value.lower()]


def read_choice(request: Request, name: str, allowed: Sequence[str]) -> str:
    """One of several words of the query, the first where none is given."""
    value = request.query_params.get(name, allowed[0])
    if value not in allowed:
        raise reject(name, value, ", ".join(allowed))
    return value


def read_days(request: Request) -> Days:
    """The days of `from` and `to`, both included.

    Raises BadInputError for what is no date, or ends before it begins.
    """
    first, last = (read_day(request, name) for name in ("from", "to"))
    if first and last and last < first:
        allowed = f"a date from {first} on"
        raise BadInputError(f"to: {show(str(last))} is before from; allowed: {allowed}.", field="to", allowed=allowed)
    return Days(first, last)


def read_day(request: Request, name: str) -> date | None:
    """A day of the query, None where it is not given. Raises BadInputError."""
    value = request.query_params.get(name)
    if value is None:
        return None
    try:
        if not ISO_DATE.fullmatch(value):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise reject(name, value, "a date such as 2020-04-24") from None


def read_id(request: Request, name: str) -> str:
    """An id of the path, or of the query where the path has none. Raises BadInputError for what can't be one."""
    value = request.path_params.get(name)
    raw: bytes = request.scope.get("raw_path", b"") if value is not None else request.scope["query_string"]
    value = request.query_params.get(name) if value is None else value
    if value is None:
        raise BadInputError(f"{name}: is missing; allowed: an id.", code="missing", field=name, allowed="an id")
    if REPLACEMENT in value:
        try:
            unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            raise reject(name, value, "an id in UTF-8, percent-encoded") from None
    return to_id(value, name)


def to_id(value: object, name: str) -> str:
    """An id as text; a whole number is taken for its digits. Raises BadInputError."""
    value = str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**50 else value
    if not isinstance(value, str) or not 1 <= len(value) <= ID_LIMIT:
        raise reject(name, value, f"an id of 1 to {ID_LIMIT} characters")
    return value


def parse_question(content: bytes, default: int) -> Question:
    """A posted question. Ids may be whole numbers. Raises BadInputError or TooLargeError."""
    question = parse_json(content)
    fields = ", ".join(QuestionBody.model_fields)
    if not isinstance(question, dict) or set(question) - set(QuestionBody.model_fields):
        raise reject("body", question, f"a JSON object with {fields}")
    if (question.get("history") is None) == (question.get("users") is None):
        allowed = "either history or users"
        raise BadInputError(f"body: has both or neither; allowed: {allowed}.", field="body", allowed=allowed)
    name, limit = ("users", MAX_USERS) if question.get("history") is None else ("history", MAX_HISTORY_IDS)
    ids = question[name]
    if not isinstance(ids, list):
        raise reject(name, ids, "a list of ids")
    if len(ids) > limit:
        allowed = f"{limit} ids"
        raise TooLargeError(f"{name}: {len(ids)} ids are too many; allowed: {allowed}.", field=name, allowed=allowed)
    n = question.get("n")
    keep = question.get("keep_known", False)
    if not isinstance(keep, bool):
        raise reject("keep_known", keep, "true, false")
    texts = [to_id(item, f"{name}[{index}]") for index, item in enumerate(ids)]
    history, users = (texts, None) if name == "history" else (None, texts)
    return Question(history, users, default if n is None else check_number(n, "n", MAX_N), keep)
