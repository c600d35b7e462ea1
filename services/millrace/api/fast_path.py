"""Serves answering paths without the router, which costs more than the answer itself.

FastAPI also declares these paths, for the docs and all other methods; here a POST goes straight from bytes to bytes.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import iscoroutinefunction
from typing import Protocol, cast

from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from millrace.api.errors import render_error
from millrace.api.responses import POST_ERRORS, error_responses
from millrace.api.work_queue import run_by_size
from millrace.errors import MillraceError

Answer = Callable[[bytes], bytes]
"""JSON in, JSON out; raises MillraceError."""
AsyncAnswer = Callable[[bytes], Awaitable[bytes]]
"""The same, where something must be waited for; it reads long bodies beside the event loop itself."""
JSON_HEADER = (b"content-type", b"application/json")


@dataclass(frozen=True)
class Reply:
    """The body of a response and its headers, but for its length."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (JSON_HEADER,)


class Negotiated(Protocol):
    """A body and the request's headers in, a reply out."""

    def __call__(self, content: bytes, *, headers: Mapping[bytes, bytes]) -> Reply: ...


@dataclass(frozen=True)
class FastRoute:
    """`path` is the template under which metrics count it."""

    path: str
    answer: Answer | AsyncAnswer
    status: int = 200

    async def reply(self, scope: Scope, content: bytes) -> Reply:
        """Raises MillraceError."""
        if iscoroutinefunction(self.answer):
            return Reply(await self.answer(content))
        return Reply(await run_by_size(cast("Answer", self.answer), content))


@dataclass(frozen=True)
class NegotiatedRoute:
    """A route whose answer depends on the request's headers."""

    path: str
    answer: Negotiated
    status: int = 200

    async def reply(self, scope: Scope, content: bytes) -> Reply:
        """Raises MillraceError."""
        return await run_by_size(partial(self.answer, headers=dict(scope["headers"])), content)


class FastRoutes:
    """The POSTs that bypass the router, by exact path."""

    def __init__(self) -> None:
        self.by_path: dict[str, FastRoute | NegotiatedRoute] = {}

    def add_post(
        self,
        router: APIRouter,
        path: str,
        answer: Answer | AsyncAnswer,
        *,
        summary: str,
        response_model: object,
        body: dict[str, object],
        tags: Sequence[str] = (),
        status: int = 200,
    ) -> None:
        """Declare a POST that goes from bytes to bytes, and let it bypass the router.

        `body` describes what is posted, as `make_body_schema` does.
        """
        route = FastRoute(f"{router.prefix}{path}", answer, status)

        @router.post(
            path,
            status_code=status,
            tags=[*tags],
            summary=summary,
            response_model=response_model,
            responses=error_responses(*POST_ERRORS),
            openapi_extra=body,
        )
        async def post(request: Request) -> Response:
            reply = await route.reply(request.scope, await request.body())
            return Response(reply.body, status, media_type="application/json")

        self.by_path[route.path] = route

    def add_negotiated(self, path: str, template: str, answer: Negotiated) -> None:
        """A path whose answer depends on the request's headers; metrics count it under `template`."""
        self.by_path[path] = NegotiatedRoute(template, answer)


def error_headers(error: MillraceError) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of an error's reply."""
    return (JSON_HEADER, (b"retry-after", b"%d" % error.retry_after)) if error.retry_after else (JSON_HEADER,)


class DisconnectedError(Exception):
    """The caller has gone: there is nobody to answer."""


class FastPaths:
    """Answers the fast routes, and hands everything else on."""

    def __init__(self, app: ASGIApp, routes: FastRoutes):
        self.app, self.routes = app, routes.by_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        status = route.status
        try:
            reply = await route.reply(scope, await read_body(receive))
        except MillraceError as error:
            status, reply = error.status, Reply(render_error(scope["path"], error), error_headers(error))
        except DisconnectedError:
            return
        headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises Disconnected."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise DisconnectedError
    if not message.get("more_body"):
        return message.get("body", b"")
    parts = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        parts.append(message.get("body", b""))
    return b"".join(parts)
