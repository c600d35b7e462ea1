"""Prometheus metrics of the updater."""

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class OnlineMetrics:
    """The counters and gauges of this process, by workload."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        common = {"registry": self.registry, "namespace": "millrace", "subsystem": "online"}
        self.events = Counter("events", "Records read, by what became of them.", ["workload", "outcome"], **common)
        self.messages = Counter("messages", "Changes published.", ["workload"], **common)
        self.seconds = Histogram("publish_seconds", "Time until a flush was acknowledged.", ["workload"], **common)
        self.watermark = Gauge(
            "watermark_seconds", "Every record that arrived before is published.", ["workload"], **common
        )
        self.since_snapshot = Gauge(
            "events_since_snapshot",
            "Events counted since the snapshot of the champion; a training takes them off.",
            ["workload"],
            **common,
        )
        self.scratch = Gauge("scratch_bytes", "What the events since the snapshots take on disk.", **common)
        self.scratch_full = Gauge(
            "scratch_full", "1 where events are not followed, as the disk has no room for them.", ["workload"], **common
        )
        self.lost = Gauge(
            "lost", "1 where Kafka and the lake lack events after the snapshot: train again.", ["workload"], **common
        )
        self.recalled = Counter(
            "recalled", "Records that Kafka had deleted and that were read from the lake.", ["workload"], **common
        )

    def for_workload(self, workload: str) -> "WorkloadMetrics":
        return WorkloadMetrics(self, workload)


class WorkloadMetrics:
    """The metrics of one workload."""

    def __init__(self, metrics: OnlineMetrics, workload: str):
        self._metrics, self._workload = metrics, workload
        self.lost, self.recalled = metrics.lost.labels(workload), metrics.recalled.labels(workload)
        self.scratch_full = metrics.scratch_full.labels(workload)
        self._events = {
            outcome: metrics.events.labels(workload, outcome) for outcome in ("accepted", "repeated", "unreadable")
        }

    def event_counter(self, outcome: str) -> Counter:
        return self._events[outcome]

    def record_publish(self, messages: int, seconds: float, watermark: float | None) -> None:
        self._metrics.messages.labels(self._workload).inc(messages)
        self._metrics.seconds.labels(self._workload).observe(seconds)
        self._metrics.watermark.labels(self._workload).set(watermark or 0)


@lru_cache(maxsize=1)
def metrics() -> OnlineMetrics:
    """The metrics of this process."""
    return OnlineMetrics()
