"""What a scrape sees of a continual training, where the setting `metrics_port` is given; worker 0 answers."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

from millrace.runtime.metrics import serve_metrics
from millrace.settings import settings

if TYPE_CHECKING:
    from millrace.neural.continual.learner import BatchOutcome
    from millrace.neural.continual.state import TrainingState


class ContinualMetrics:
    """Nothing is counted without a port."""

    def __init__(self, model: str, restarts: int):
        port, host = settings().metrics_port, settings().metrics_host
        self.on = port is not None
        if port is None:
            return
        registry = CollectorRegistry()

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, ["model"], registry=registry, namespace="millrace_continual").labels(model)

        self.batches = gauge("micro_batches", "Micro-batches learned from, since the first start.")
        self.hr = gauge("prequential_hr_at_10", "HR@10 of the last micro-batches, each asked before it was learned.")
        self.loss = gauge("loss", "Mean cross-entropy of the last step.")
        self.lag = gauge("lag_events", "Events of the topic that were not learned from yet.")
        self.watermark = gauge("watermark_seconds", "Arrival of the newest event learned from, seconds since 1970.")
        self.items = gauge("items", "Items that the network knows.")
        self.replay = gauge("replay_events", "Events in the replay buffer.")
        self.checkpoint = gauge("checkpoint_micro_batch", "The micro-batch of the newest checkpoint.")
        self.restarts = gauge("restarts", "How often the group was started again.")
        self.events = {
            name: gauge(f"events_{name}", f"Events {text}, since the first start.")
            for name, text in (
                ("read", "read"),
                ("repeated", "of an item that the user had"),
                ("unreadable", "that could not be read"),
                ("unknown", "of items without room"),
            )
        }
        self.published = Counter(
            "published", "Versions by what the gate said.", ["gate"], registry=registry, namespace="millrace_continual"
        )
        self.restarts.set(restarts)
        self.server = serve_metrics(registry, port, host)

    def record_batch(self, state: "TrainingState", outcome: "BatchOutcome", lag: int) -> None:
        if not self.on:
            return
        progress = state.progress
        values = (progress.batch, progress.hr(), outcome.loss, lag, progress.watermark / 1000)
        for gauge, value in zip((self.batches, self.hr, self.loss, self.lag, self.watermark), values, strict=True):
            gauge.set(value)
        self.items.set(len(state.items))
        self.replay.set(len(state.replay.kept))
        for name, gauge in self.events.items():
            gauge.set(progress.counts[name])

    def record_checkpoint(self, batch: int) -> None:
        if self.on:
            self.checkpoint.set(batch)

    def record_verdict(self, promoted: bool) -> None:
        if self.on:
            self.published.labels("passed" if promoted else "refused").inc()
