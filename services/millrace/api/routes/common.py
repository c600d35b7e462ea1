"""What all answering paths share: their documented errors, and JSON out without a second validation."""

from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel

from millrace.api.errors import ErrorBody

NAMES = {
    401: "The API key is missing or wrong.",
    404: "No such model or version.",
    413: "The body or the list is too large.",
    422: "The body is not acceptable; the message names the field, the value and what is allowed.",
    503: "The model has no champion yet, or the registry can't be reached.",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorBody, "description": NAMES[status]} for status in statuses}


def json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def body_schema(row: type[BaseModel], *shapes: str) -> dict[str, Any]:
    """The request body of the OpenAPI document: an object, a list of them, or either."""
    one = row.model_json_schema(mode="validation")
    forms = [one if shape == "object" else {"type": "array", "items": one, "maxItems": 10_000} for shape in shapes]
    schema = forms[0] if len(forms) == 1 else {"oneOf": forms}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
