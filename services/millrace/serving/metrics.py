"""Prometheus metrics of the API, right with several worker processes.

With PROMETHEUS_MULTIPROC_DIR set (as `millrace serve` does) each worker writes its numbers into that folder and any
worker answers for all of them.
"""

import os
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
LATENCY_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class ApiMetrics:
    """All metrics of the API by their names in code."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        common = {"registry": self.registry, "namespace": "millrace"}
        self.requests = Counter("requests", "Requests by route and status.", ["route", "status"], **common)
        self.seconds = Histogram(
            "request_seconds",
            "Time from request to response; streams: to their start.",
            ["route"],
            buckets=LATENCY_BUCKETS_S,
            **common,
        )
        self.rows = Counter("rows", "Rows answered.", ["model"], **common)
        self.swaps = Counter("champion_swaps", "Champions loaded.", ["model"], **common)
        self.refused = Counter("champion_refused", "Champions that could not be loaded.", ["model"], **common)
        self.poll_failures = Counter("poll_failures", "Times the registry became unreachable.", **common)
        # Only of workers that live: what a dead one last saw is nobody's state.
        self.polled_at = Gauge(
            "polled_at_seconds",
            "When the worker that has waited longest last reached the registry; 0 before its first time.",
            multiprocess_mode="livemin",
            **common,
        )
        self.events = Counter("events", "Posted events that Kafka has acknowledged.", ["workload"], **common)
        self.deltas = Counter("deltas", "Delta messages read.", ["topic"], **common)
        self.deltas_refused = Counter(
            "deltas_refused", "Delta messages skipped because they could not be parsed.", ["topic"], **common
        )
        self.connections_ended = Counter(
            "connections_ended",
            "Connections ended because of their client: slow, crowded (for a new one), unread, or refused at once.",
            ["reason"],
            **common,
        )
        self.staleness = Gauge(
            "staleness_seconds",
            "Now minus the watermark of the live answers, in the worker that is furthest behind.",
            ["workload"],
            multiprocess_mode="livemax",
            **common,
        )
        self.version = Gauge(
            "model_version", "1 for each version served.", ["model", "version"], multiprocess_mode="livemax", **common
        )

    def record_swap(self, model: str, before: str | None, version: str) -> None:
        self.swaps.labels(model).inc()
        if before:
            self.version.labels(model, before).set(0)
        self.version.labels(model, version).set(1)

    def render(self) -> bytes:
        folder = os.environ.get(MULTIPROCESS_VARIABLE)
        if folder is None:
            return generate_latest(self.registry)
        forget_dead(folder)
        collected = CollectorRegistry()
        MultiProcessCollector(collected, folder)
        return generate_latest(collected)


def forget_dead(folder: str) -> None:
    """Drop the gauges of workers that are gone; their counts stay."""
    for name in os.listdir(folder):
        pid = name.rpartition("_")[2].removesuffix(".db")
        if name.startswith("gauge_live") and pid.isdigit() and not _is_alive(int(pid)):
            mark_process_dead(int(pid), folder)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@lru_cache(maxsize=1)
def metrics() -> ApiMetrics:
    """The metrics of this process."""
    return ApiMetrics()
