"""Prometheus metrics, right with several worker processes, and the middleware that counts requests.

With PROMETHEUS_MULTIPROC_DIR set (as `millrace serve` does) each worker writes its numbers into that folder and any
worker answers for all of them.
"""

import os
import time
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Metrics:
    """All metrics of the API by their names in code."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        common = {"registry": self.registry, "namespace": "millrace"}
        labels = ["route", "status"]
        self.requests = Counter("requests", "Requests by route and status.", labels, **common)
        self.seconds = Histogram(
            "request_seconds", "Time from request to response.", ["route"], buckets=BUCKETS, **common
        )
        self.rows = Counter("rows", "Rows answered.", ["model"], **common)
        self.swaps = Counter("champion_swaps", "Champions taken up.", ["model"], **common)
        self.refused = Counter("champion_refused", "Champions that could not be loaded.", ["model"], **common)
        self.poll_failures = Counter("poll_failures", "Times the registry could not be reached.", **common)
        self.polled_at = Gauge(
            "polled_at_seconds", "When the registry was last reached.", multiprocess_mode="min", **common
        )
        self.version = Gauge(
            "model_version",
            "1 for each version that is served.",
            ["model", "version"],
            multiprocess_mode="max",
            **common,
        )

    def swapped(self, model: str, before: str | None, version: str) -> None:
        self.swaps.labels(model).inc()
        if before:
            self.version.labels(model, before).set(0)
        self.version.labels(model, version).set(1)

    def exposition(self) -> bytes:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        collected = CollectorRegistry()
        MultiProcessCollector(collected)
        return generate_latest(collected)


@lru_cache(maxsize=1)
def metrics() -> Metrics:
    return Metrics()


class MetricsMiddleware:
    """Counts and times each request under its route's template, so that paths can't multiply the series."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self._children: dict[tuple[str, int], object] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            key = (route, status)
            if key not in self._children:
                found = metrics()
                self._children[key] = found.requests.labels(route, str(status)), found.seconds.labels(route)
            requests, seconds = self._children[key]
            requests.inc()
            seconds.observe(time.perf_counter() - started)
