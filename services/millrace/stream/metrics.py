"""Prometheus metrics of the stream."""

import threading
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

METRIC_HELP = {
    "rows_total": ("counter", "Pages scored."),
    "unreadable_total": ("counter", "Records that are no page."),
    "repeated_total": ("counter", "Records left out because the table of pages has their record id."),
    "batches_total": ("counter", "Micro-batches done."),
    "batch_seconds_total": ("counter", "Seconds spent on micro-batches."),
    "repaired_total": ("counter", "Pages that the topics of the clusters lacked after a start."),
    "failures_total": ("counter", "Times the stream failed and was started again."),
    "champion_swaps_total": ("counter", "Champions loaded."),
    "champion_refused_total": ("counter", "Champions that could not be loaded."),
    "running": ("gauge", "1 while pages are read, 0 while it waits for a champion or an unavailable dependency."),
    "batch_seconds": ("gauge", "Seconds of the last micro-batch."),
    "lag": ("gauge", "Records published and not scored yet."),
    "watermark_seconds": ("gauge", "The newest arrival scored, in seconds since 1970."),
    "psi": ("gauge", "Population stability index of the clusters' shares against the training."),
    "inertia_ratio": ("gauge", "Mean squared distance to the centres, against the training's."),
    "moved": ("gauge", "Mean way from a centre to the mean of its pages, over the distance between two."),
    "cluster_pages": ("gauge", "Pages of a cluster in the lake."),
    "version": ("gauge", "1 for the version that scores."),
}
METRIC_LABELS = {"cluster_pages": "cluster", "version": "version"}
"""The label that a metric has beside the workload."""


class StreamMetrics(Collector):
    """Values by name, all exported as `millrace_stream_...` and labelled with the workload."""

    def __init__(self, workload: str):
        self._workload = workload
        self._values: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def set(self, name: str, value: float | None) -> None:
        """A value of None is not exported."""
        with self._lock:
            if value is None:
                self._values.pop(name, None)
            else:
                self._values[name] = {"": value}

    def replace(self, name: str, values: Mapping[str, float]) -> None:
        """All values of a name by its label, and no others."""
        with self._lock:
            self._values[name] = dict(values)

    def add(self, name: str, value: float = 1) -> None:
        with self._lock:
            values = self._values.setdefault(name, {"": 0.0})
            values[""] += value

    def collect(self) -> Iterable[Metric]:
        """What a scrape gets: the names that have a value."""
        with self._lock:
            values = {name: dict(samples) for name, samples in self._values.items()}
        for name, (kind, text) in METRIC_HELP.items():
            if samples := values.get(name):
                label = METRIC_LABELS.get(name)
                family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
                metric = family(f"millrace_stream_{name}", text, labels=["workload", *filter(None, [label])])
                for labelled, value in samples.items():
                    metric.add_metric([self._workload, *([labelled] if label else [])], value)
                yield metric
