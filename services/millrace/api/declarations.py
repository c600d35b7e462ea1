"""Declares paths: actual errors and shapes for the OpenAPI document, JSON output without revalidation."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from millrace.api.errors import ErrorBody, InferenceError
from millrace.api.fast_path import Answer, AsyncAnswer, FastRoute, NegotiatedRoute
from millrace.api.head_route import HeadRoute
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
Endpoint = Callable[[Request], Awaitable[Response]]


def json_response(value: object) -> Response:
    """A response of JSON."""
    return Response(orjson.dumps(value), media_type="application/json")


def error_responses(*statuses: int, model: type[BaseModel] = ErrorBody) -> dict[int | str, dict[str, Any]]:
    """The `responses` of OpenAPI for these statuses."""
    return {status: {"model": model, "description": REASONS[status]} for status in statuses}


def all_error_responses(path: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of what every path may be refused with, before its own errors."""
    return error_responses(*statuses, model=InferenceError if path.startswith("/v2") else ErrorBody)


def make_body_schema(row: type[BaseModel], *shapes: str) -> dict[str, Any]:
    """The request body of the document: an `object`, an `array` of them, or either."""
    item = row.model_json_schema(mode="validation")
    many = {"type": "array", "items": item, "maxItems": settings().api_list_limit}
    forms = [item if shape == "object" else many for shape in shapes]
    return describe_body(forms[0] if len(forms) == 1 else {"oneOf": forms})


def describe_body(schema: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI says of a JSON body with this schema."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def describe_path_parameters(path: str) -> dict[str, Any]:
    """The path's parameters for the document, where the endpoint reads them off the request itself."""
    schema = {"type": "string", "minLength": 1}
    names = PATH_PARAMETER.findall(path)
    return {"parameters": [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]}


def describe_query(name: str, least: int, most: int, default: int) -> dict[str, Any]:
    """A whole number of the query, for the document."""
    schema = {"type": "integer", "minimum": least, "maximum": most, "default": default}
    return {"name": name, "in": "query", "required": False, "schema": schema}


class RouteRegistry:
    """The application's paths as they are declared, and those of them that skip the router."""

    def __init__(self, app: FastAPI):
        self.app = app
        app.router.route_class = HeadRoute
        self.fast: dict[str, FastRoute | NegotiatedRoute] = {}
        self.open_paths: set[str] = set()
        """Paths that need no API key (see millrace.api.middleware.api_keys)."""
        self.posting_paths: set[str] = set()
        """Paths that write records."""
        self.schemas: list[type[BaseModel]] = []
        """Models that the document refers to where FastAPI does not see it."""

    def add_get(
        self,
        path: str,
        endpoint: Endpoint,
        summary: str,
        tag: str,
        answer: Any,
        errors: dict[int | str, dict[str, Any]],
        queries: Sequence[dict[str, Any]] = (),
        media_type: str = "application/json",
        is_open: bool = False,
    ) -> None:
        """A path that is asked with GET; `is_open`: without an API key."""
        if is_open:
            self.open_paths.add(path)
        shape: dict[str, Any] = {"model": answer}
        if media_type != "application/json":
            # The document has no words for a stream: the schema is that of the data of an event.
            shape = {"description": "A stream of events", "content": {media_type: {"schema": schema_reference(answer)}}}
            self.schemas.append(answer)
        self.app.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            tags=[tag],
            name=operation_id("get", path),
            operation_id=operation_id("get", path),
            summary=summary,
            responses={200: shape, **errors, **all_error_responses(path, 403)},
            response_model=None,
            openapi_extra={"parameters": describe_path_parameters(path)["parameters"] + list(queries)},
        )

    def add_post(
        self,
        path: str,
        answer: Answer,
        summary: str,
        tag: str,
        model: Any,
        errors: dict[int | str, dict[str, Any]],
        schema: dict[str, Any],
    ) -> None:
        """A path without parameters, from bytes to bytes."""

        async def endpoint(request: Request) -> Response:
            return Response(answer(await request.body()), media_type="application/json")

        self.add_fast_path(path, path, answer)
        self.add_request_post(path, endpoint, summary, tag, model, errors, schema)

    def add_async_post(
        self,
        path: str,
        answer: AsyncAnswer,
        summary: str,
        tag: str,
        model: Any,
        errors: dict[int | str, dict[str, Any]],
        schema: dict[str, Any],
    ) -> None:
        """As `post`, for records that are written and waited for: 202."""
        self.posting_paths.add(path)

        async def endpoint(request: Request) -> Response:
            return Response(await answer(await request.body()), 202, media_type="application/json")

        self.add_fast_path(path, path, answer, 202)
        self.add_request_post(path, endpoint, summary, tag, model, errors, schema, 202)

    def add_file(
        self, path: str, media_type: str, content: bytes, headers: dict[str, str], summary: str | None, tag: str
    ) -> None:
        """A file of ours, open to everybody: it holds no data. Documented where it has a summary."""

        async def endpoint(request: Request) -> Response:
            return Response(content, media_type=media_type, headers=headers)

        self.open_paths.add(path)
        shape = {"description": "The file", "content": {media_type: {"schema": {"type": "string"}}}}
        self.app.add_api_route(
            path,
            endpoint,
            tags=[tag],
            name=operation_id("get", path),
            operation_id=operation_id("get", path),
            summary=summary,
            response_class=Response,
            responses={200: shape, **all_error_responses(path, 403)},
            response_model=None,
            include_in_schema=summary is not None,
        )

    def add_fast_path(self, path: str, template: str, answer: Answer | AsyncAnswer, status: int = 200) -> None:
        """Answer a POST to `path` without the router; metrics count it under `template`."""
        self.fast[path] = FastRoute(template, answer, status)

    def add_request_post(
        self,
        path: str,
        endpoint: Endpoint,
        summary: str,
        tag: str,
        model: Any,
        errors: dict[int | str, dict[str, Any]],
        schema: dict[str, Any],
        status: int = 200,
    ) -> None:
        """A path whose endpoint needs the request."""
        self.app.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            tags=[tag],
            name=operation_id("post", path),
            operation_id=operation_id("post", path),
            summary=summary,
            status_code=status,
            responses={status: {"model": model}, **errors, **all_error_responses(path, 403, 415)},
            response_model=None,
            openapi_extra=schema | describe_path_parameters(path),
        )


def schema_reference(model: type[BaseModel]) -> dict[str, str]:
    """A reference to a model's schema."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def operation_id(method: str, path: str) -> str:
    """The operationId: `get_v1_models` of GET /v1/models."""
    parts = [part for part in PATH_PARAMETER.sub(r"\1", path).replace(".", "_").split("/") if part]
    return "_".join([method, *(parts or ["index"])])
