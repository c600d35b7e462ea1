"""Formats every error as `{"error": {"code", "message", "field", "allowed"}}`, or as Open Inference errors under V2."""

import logging
from collections.abc import Mapping

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from millrace.api.middleware.head_requests import original_method
from millrace.errors import BadInputError, MillraceError
from millrace.records.numbers import show
from millrace.runtime.text import make_printable

log = logging.getLogger("millrace.api")
STATUS_CODES = {404: "not_found", 405: "method_not_allowed"}


class ErrorDetail(BaseModel):
    """What is wrong: a code for programs, a sentence for people, the field and what is allowed in it."""

    model_config = ConfigDict(extra="forbid")

    code: str
    message: str
    field: str | None
    allowed: str | None


class ErrorBody(BaseModel):
    """The body of every error outside the V2 protocol."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorDetail


class InferenceError(BaseModel):
    """The Open Inference Protocol's own error body."""

    model_config = ConfigDict(extra="forbid")

    error: str


def render_error(path: str, error: MillraceError) -> bytes:
    """The JSON of an error, under /v2 in the form of the Open Inference Protocol."""
    # Whoever reads it may be at a terminal, and it may quote a stranger or a path that is no UTF-8.
    fields = {name: text and make_printable(text) for name, text in error.as_dict().items()}
    return orjson.dumps({"error": fields["message"] if path.startswith("/v2") else fields})


def error_response(
    path: str, error: MillraceError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The response of an error, with its own status unless another is given."""
    if error.retry_after:
        headers = {**(headers or {}), "Retry-After": str(error.retry_after)}
    return Response(render_error(path, error), status or error.status, headers, "application/json")


def describe_first(error: RequestValidationError) -> BadInputError:
    """The first thing wrong with the parameters of a request: its name, its value, what is allowed."""
    first = error.errors()[0]
    field = str(first["loc"][-1])
    if first["type"] == "missing":
        allowed = "an id"  # no other parameter is required
        return BadInputError(f"{field}: is missing; allowed: {allowed}.", code="missing", field=field, allowed=allowed)
    allowed = first.get("ctx", {}).get("allowed")
    return BadInputError(f"{field}: {first['msg']}", code=first["type"], field=field, allowed=allowed)


def list_methods(app: FastAPI, path: str) -> list[str]:
    """The methods that all routes of a path take together."""
    routes = [route for route in iter_route_contexts(app.routes) if route.path_regex.match(path)]
    methods: set[str] = set().union(*(route.methods or () for route in routes))
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def install_handlers(app: FastAPI) -> None:
    """Register the handlers."""

    @app.exception_handler(MillraceError)
    async def own(request: Request, error: MillraceError) -> Response:
        return error_response(request.url.path, error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        path, headers = request.scope["path"], error.headers or {}
        code = STATUS_CODES.get(error.status_code, "http_error")
        if code == "method_not_allowed":
            headers = {**headers, "Allow": ", ".join(list_methods(app, path))}
        allowed = headers.get("Allow") or ("the paths of /docs" if code == "not_found" else None)
        message = {
            404: f"There is no path {show(path)}; allowed: {allowed}.",
            405: f"{original_method(request.scope)} is not allowed on {show(path)}; allowed: {allowed}.",
        }.get(error.status_code, str(error.detail))
        refusal = MillraceError(message, code=code, field="path", allowed=allowed)
        return error_response(path, refusal, error.status_code, headers)

    @app.exception_handler(RequestValidationError)
    async def parameters(request: Request, error: RequestValidationError) -> Response:
        return error_response(request.scope["path"], describe_first(error))

    @app.exception_handler(ClientDisconnect)
    async def ignore_disconnect(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=499)  # nobody reads it

    @app.exception_handler(Exception)
    async def answer_unexpected(request: Request, error: Exception) -> Response:
        log.error("a fault of Millrace at %s: %r", show(request.scope["path"]), error)
        return error_response(request.scope["path"], MillraceError("A fault of Millrace; its log has the trace."))
