"""HEAD wherever there is GET, as monitors and caches expect (RFC 9110, 9.3.2); FastAPI's routes take only GET."""

from starlette.types import ASGIApp, Receive, Scope, Send

ORIGINAL_METHOD = "millrace.method"


class HeadRequests:
    """Hands HEAD on as GET; the server, which goes by its own scope, leaves the body out."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", ORIGINAL_METHOD: "HEAD"}
        await self.app(scope, receive, send)


def original_method(scope: Scope) -> str:
    """The method that the caller sent."""
    return scope.get(ORIGINAL_METHOD, scope["method"])
