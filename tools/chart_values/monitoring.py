"""Monitoring: for a Prometheus operator and Grafana."""

from typing import Annotated

from pydantic import Field

from chart_values.common import Area
from chart_values.kubernetes import Labels

Duration = Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m|h)$")]


class Monitor(Area):
    """Whom Prometheus asks, and how often."""

    enabled: bool
    """Whether it is scraped; needs the Prometheus operator."""
    interval: Duration
    """How often."""
    labels: Labels
    """Labels by which your Prometheus finds it."""


class Alerts(Area):
    """Alerts, each with what to do."""

    enabled: bool
    """Whether a PrometheusRule is made; needs the Prometheus operator."""
    labels: Labels
    """Labels by which your Prometheus finds it."""
    disabled: list[str]
    """Names of alerts that you do not want."""
    errorRatio: float = Field(gt=0, le=1)
    """Share of answers with status 5xx that is too much."""
    latencySeconds: float = Field(gt=0, le=5)
    """Seconds that 99 of 100 answers stay under; one of the API's buckets, such as 0.025 or 0.1."""
    registrySeconds: int = Field(ge=1)
    """Seconds for which the registry may be out of reach."""
    lag: int = Field(ge=0)
    """Messages that the sink may be behind."""
    staleSeconds: int = Field(ge=1)
    """Seconds that what the API follows may be behind the events."""
    drift: float = Field(gt=0)
    """How far the shares of clusters may move from those of the training: population stability index."""


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
    """The API's numbers."""
    podMonitor: Monitor
    """The numbers of brokers, Connect, Spark drivers and the updater of recommendations."""
    alerts: Alerts
    """Alerts, each with what to do."""
    dashboards: Dashboards
    """Dashboards."""


AREAS = {"monitoring": Monitoring}
