"""Monitoring: for a Prometheus operator and Grafana."""

from typing import Annotated

from pydantic import Field

from chart_values.common import Area
from chart_values.kubernetes import Labels

Duration = Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m|h)$")]


class Monitor(Area):
    """Whom Prometheus asks, and how often."""

    enabled: bool
    """Whether to scrape it; needs the Prometheus operator."""
    interval: Duration
    """Scrape interval."""
    labels: Labels
    """Labels by which your Prometheus finds it."""


class Alerts(Area):
    """Alerts, each with a runbook in its description."""

    enabled: bool
    """Whether a PrometheusRule is made; needs the Prometheus operator."""
    labels: Labels
    """Labels by which your Prometheus finds it."""
    disabled: list[str]
    """Names of alerts to leave out."""
    errorRatio: float = Field(gt=0, le=1)
    """Alert when a larger share of responses has status 5xx."""
    latencySeconds: float = Field(gt=0, le=5)
    """Alert when the 99th percentile of latency exceeds so many seconds; one of the API's buckets, such as 0.025 or
    0.1."""
    registrySeconds: int = Field(ge=1)
    """Alert when the registry is unreachable for longer, in seconds."""
    lag: int = Field(ge=0)
    """Alert when the sink lags by more messages."""
    staleSeconds: int = Field(ge=1)
    """Alert when the API's live state is older, in seconds."""
    eventsSinceSnapshot: int = Field(ge=1)
    """Alert when recommendations follow more events than this since the last training; keep it below what
    online.scratchBudget has room for, 120 bytes each."""
    drift: float = Field(gt=0)
    """Alert when cluster shares drift further from the training's: population stability index, 0.25 is a large
    shift."""


class Dashboards(Area):
    """Dashboards."""

    enabled: bool
    """Whether ConfigMaps with Grafana dashboards are made, for Grafana's side car."""
    labels: Labels
    """Labels by which the side car finds them."""
    annotations: Labels
    """Annotations, such as grafana_folder."""


class Monitoring(Area):
    """Monitoring: for a Prometheus operator and Grafana."""

    serviceMonitor: Monitor
    """Metrics of the API."""
    podMonitor: Monitor
    """Metrics of brokers, Connect, Spark drivers and the updater of recommendations."""
    alerts: Alerts
    """Alerts, each with a runbook in its description."""
    dashboards: Dashboards
    """Dashboards."""


AREAS = {"monitoring": Monitoring}
