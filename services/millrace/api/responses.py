"""What endpoints answer with, and how the OpenAPI document describes errors, bodies and files.

Endpoints declare a `response_model` for the document and return a finished `Response`: their answers are put together
from models and arrays that were checked when they were loaded. orjson writes them, and nothing is validated twice.
"""

import re
from collections.abc import Mapping

import orjson
from fastapi import APIRouter, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from millrace.api.errors import ErrorBody
from millrace.settings import settings

PATH_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
REASONS = {
    401: "The API key is missing or wrong.",
    403: "The Host is not a name of this service, or a page of another origin sent the request.",
    404: "No such model or version.",
    408: "The body did not arrive in time.",
    413: "The body or the list is too large.",
    415: "The body has another type, charset or coding than those that are read.",
    422: "The request is not acceptable; the message names the field, the value and what is allowed.",
    503: "The model has no champion yet, or the registry or Kafka can't be reached.",
}
POST_ERRORS = (401, 403, 408, 413, 415, 422, 503)
"""What a POST that a model answers may be refused with."""
Responses = dict[int | str, dict[str, object]]
"""The `responses` of a router or an endpoint."""


def json_response(value: object, status: int = 200) -> Response:
    """A response of JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json")


def error_responses(*statuses: int, model: type[BaseModel] = ErrorBody) -> Responses:
    """The `responses` for these statuses."""
    return {status: {"model": model, "description": REASONS[status]} for status in statuses}


def stream_responses(event: type[BaseModel], *statuses: int) -> Responses:
    """The `responses` of an endpoint that streams events with data of this model.

    FastAPI gives every `model` the media type of the endpoint's response class; errors are JSON all the same.
    """
    schema = {"$ref": f"#/components/schemas/{ErrorBody.__name__}"}
    content = {"application/json": {"schema": schema}}
    errors: Responses = {status: {"content": content, "description": REASONS[status]} for status in statuses}
    return {200: {"model": event, "description": "A stream of events"}, **errors}


def make_body_schema(row: type[BaseModel], *shapes: str) -> dict[str, object]:
    """The request body of the document: an `object`, an `array` of them, or either."""
    item = row.model_json_schema(mode="validation")
    many = {"type": "array", "items": item, "maxItems": settings().api_list_limit}
    forms = [item if shape == "object" else many for shape in shapes]
    return describe_body(forms[0] if len(forms) == 1 else {"oneOf": forms})


def describe_body(schema: Mapping[str, object]) -> dict[str, object]:
    """The `openapi_extra` of an endpoint that reads a JSON body with this schema itself."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def add_file(
    router: APIRouter, path: str, media_type: str, content: bytes, headers: dict[str, str], summary: str | None = None
) -> None:
    """Serve a file of ours; it is documented where it has a summary."""

    async def read_file() -> Response:
        return Response(content, media_type=media_type, headers=headers)

    shape: Responses = {200: {"description": "The file", "content": {media_type: {"schema": {"type": "string"}}}}}
    router.add_api_route(
        path,
        read_file,
        summary=summary,
        response_class=Response,
        responses=shape,
        include_in_schema=summary is not None,
    )


def make_operation_id(route: APIRoute) -> str:
    """The operationId: `get_v1_models` of GET /v1/models."""
    method = min(route.methods or {"get"})
    parts = [part for part in PATH_PARAMETER.sub(r"\1", route.path).replace(".", "_").split("/") if part]
    return "_".join([method.lower(), *(parts or ["index"])])
