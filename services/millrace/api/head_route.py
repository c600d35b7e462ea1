"""HEAD wherever there is GET, as monitors and caches expect (RFC 9110, 9.3.2)."""

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send


class HeadRoute(APIRoute):
    """A route that answers HEAD wherever it answers GET; the server leaves the body out."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches({**scope, "method": "GET"} if self._is_head(scope) else scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_head(scope):
            await self.app(scope, receive, send)
        elif scope["method"] not in (self.methods or ()):
            raise HTTPException(405, headers={"Allow": ", ".join(list_methods(scope))})
        else:
            await super().handle(scope, receive, send)

    @property
    def _has_get(self) -> bool:
        return "GET" in (self.methods or ())

    def _is_head(self, scope: Scope) -> bool:
        return scope["type"] == "http" and scope["method"] == "HEAD" and self._has_get


def list_methods(scope: Scope) -> list[str]:
    """The methods that all routes of a path take together."""
    routes = [route for route in scope["app"].routes if route.matches(scope)[0] is not Match.NONE]
    methods: set[str] = set().union(*(route.methods or () for route in routes))
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
