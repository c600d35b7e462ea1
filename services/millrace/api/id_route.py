"""Routes with an id of any characters, in the path or in the query."""

from collections.abc import Callable, Coroutine
from urllib.parse import unquote_to_bytes

from fastapi import Request, Response
from fastapi.routing import APIRoute

from millrace.api.parameters import reject

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What stands for bytes that are no UTF-8, and may be part of an id by itself."""


class IdRoute(APIRoute):
    """Refuses ids that are not UTF-8 before FastAPI reads any parameter: only the raw request shows it.

    A dependency would do the same, and cost each request more than all of its parameters.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        handle = super().get_route_handler()
        in_path = [field.name for field in self.dependant.path_params]
        in_query = [field.name for field in self.dependant.query_params if field.name.endswith("_id")]

        async def handle_checked(request: Request) -> Response:
            for name in in_path:
                check_utf8(name, request.path_params[name], request.scope.get("raw_path", b""))
            for name in in_query:
                check_utf8(name, request.query_params.get(name, ""), request.scope["query_string"])
            return await handle(request)

        return handle_checked


def check_utf8(name: str, text: str, raw: bytes) -> None:
    """Raises BadInputError for a text whose percent-encoded bytes, part of `raw`, are not UTF-8."""
    if REPLACEMENT in text:
        try:
            unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            raise reject(name, text, "an id in UTF-8, percent-encoded") from None
