"""Every error as `{"error": {"code", "message", "field", "allowed"}}`; on V2 paths in that protocol's form."""

import logging

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from millrace.errors import BadInput, MillraceError

log = logging.getLogger("millrace.api")
CODES = {404: "not_found", 405: "method_not_allowed", 406: "not_acceptable"}


class ErrorDetail(BaseModel):
    """What is wrong: a code for programs, a sentence for people, the field and what is allowed in it."""

    code: str
    message: str
    field: str | None
    allowed: str | None


class ErrorBody(BaseModel):
    """The body of every error outside the V2 protocol."""

    error: ErrorDetail


def respond(request: Request, error: MillraceError, status: int | None = None, headers=None) -> Response:
    v2 = request.url.path.startswith("/v2")
    body = orjson.dumps({"error": error.message if v2 else error.as_dict()})
    return Response(body, status or error.status, headers, "application/json")


def install(app: FastAPI) -> None:
    """Register the handlers."""

    @app.exception_handler(MillraceError)
    async def own(request: Request, error: MillraceError) -> Response:
        return respond(request, error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code = CODES.get(error.status_code, "http_error")
        allowed = (error.headers or {}).get("allow") or (error.headers or {}).get("Allow")
        message = {
            404: f"There is no path {request.url.path[:200]}; /docs lists them.",
            405: f"{request.method} is not allowed on {request.url.path[:200]}; allowed: {allowed}.",
        }.get(error.status_code, str(error.detail))
        return respond(request, MillraceError(message, code=code, allowed=allowed), error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def parameters(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = str(first["loc"][-1])
        return respond(request, BadInput(f"{field}: {first['msg']}", field=field))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.exception("a fault of Millrace at %s", request.url.path, exc_info=error)
        return respond(request, MillraceError("A fault of Millrace; its log has the trace."))
