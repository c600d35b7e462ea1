"""The body of a POST for recommendations: a history, or many users."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from millrace.api.parameters import MAX_HISTORY_IDS, MAX_N, describe_count, is_count, reject, to_id
from millrace.api.rows import parse_json
from millrace.errors import BadInputError, TooLargeError

MAX_USERS = 1000  # users of one request
EITHER = [
    {"required": ["history"], "properties": {"history": {"type": "array"}}},
    {"required": ["users"], "properties": {"users": {"type": "array"}}},
]


class QuestionBody(BaseModel):
    """A question: the history of somebody without an id, or many users at once."""

    model_config = ConfigDict(extra="forbid")

    history: list[str | int] | None = Field(None, max_length=MAX_HISTORY_IDS, description="Item ids, oldest first.")
    users: list[str | int] | None = Field(None, max_length=MAX_USERS, description="User ids, answered in this order.")
    n: int | None = Field(None, ge=1, le=MAX_N)
    keep_known: bool = Field(False, description="Whether items of the history may be answered too.")


@dataclass(frozen=True)
class Question:
    """A checked `QuestionBody`: one of `history` and `users` is there, ids are text, `n` has its default."""

    history: list[str] | None
    users: list[str] | None
    n: int
    keep_known: bool


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
    if n is not None and not is_count(n, MAX_N):
        raise reject("n", n, describe_count(MAX_N))
    history, users = (texts, None) if name == "history" else (None, texts)
    return Question(history, users, default if n is None else n, keep)
