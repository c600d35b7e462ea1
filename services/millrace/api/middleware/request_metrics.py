"""Counts and times requests."""

import time

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from millrace.serving.metrics import metrics


def template_of(route: object) -> str:
    """The path of a route as its document writes it."""
    return getattr(route, "path_format", None) or getattr(route, "path", "unknown")


class MetricsMiddleware:
    """Counts and times each request under its route's template, so that paths can't multiply the series."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self._children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, begun = time.perf_counter(), 500, None

        async def send_timed(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], time.perf_counter()
            await send(message)

        try:
            await self.app(scope, receive, send_timed)
        finally:
            requests, seconds = self._children_of(template_of(scope.get("route")), status)
            requests.inc()
            seconds.observe((begun or time.perf_counter()) - started)

    def _children_of(self, route: str, status: int) -> tuple[Counter, Histogram]:
        if (route, status) not in self._children:
            current = metrics()
            self._children[route, status] = current.requests.labels(route, str(status)), current.seconds.labels(route)
        return self._children[route, status]
