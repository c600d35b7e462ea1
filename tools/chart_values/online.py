"""Recommendations that follow the events."""

from typing import Any

from pydantic import Field

from chart_values.common import Area, Quantity, Resources, Scheduling
from chart_values.kubernetes import Labels, Objects, ServiceAccount


class Probes(Area):
    """How Kubernetes asks whether the pod is well."""

    startupSeconds: int = Field(ge=5, le=3600)
    """Seconds that the process has to answer for the first time."""
    livenessPeriodSeconds: int = Field(ge=1, le=300)
    """Seconds between two questions whether the process lives."""
    livenessFailures: int = Field(ge=1, le=20)
    """Unanswered questions after which the container is restarted."""


class Reach(Area):
    """Whom the pod reaches, and who reads its numbers."""

    metricsFrom: Objects
    """NetworkPolicy peers that may read its metrics on port 9090; empty is none."""
    extraEgress: Objects
    """Further egress rules."""


class Online(Area):
    """Recommendations that follow the events: one process counts them and publishes what changes."""

    enabled: bool
    """Whether it is deployed. Without it recommendations change with trainings only."""
    extraEnv: Objects
    """Further environment variables, as Kubernetes writes them."""
    podAnnotations: Labels
    """Annotations of the pod."""
    resources: Resources
    """What the pod asks for and may use; it holds the counts of all workloads with recommenders."""
    tmpSize: Quantity
    """The largest size of /tmp, where arrays of models are put."""
    probes: Probes
    """How Kubernetes asks whether the pod is well."""
    scheduling: Scheduling
    """Where the pod runs."""
    serviceAccount: ServiceAccount
    """The service account."""
    networkPolicy: Reach
    """Whom the pod reaches, and who reads its numbers."""


AREAS: dict[str, Any] = {"online": Online}
