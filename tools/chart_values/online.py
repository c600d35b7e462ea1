"""Recommendations that follow the events."""

from typing import Any

from pydantic import Field

from chart_values.common import Area, Quantity, Resources, Scheduling
from chart_values.kubernetes import Labels, Objects, ServiceAccount


class Probes(Area):
    """Health probes."""

    startupSeconds: int = Field(ge=5, le=3600)
    """Seconds that the process has to answer its first probe."""
    livenessPeriodSeconds: int = Field(ge=1, le=300)
    """Seconds between liveness probes."""
    livenessFailures: int = Field(ge=1, le=20)
    """Failed liveness probes after which the container is restarted."""


class Reach(Area):
    """Whom the pod reaches, and who reads its numbers."""

    metricsFrom: Objects
    """NetworkPolicy peers that may read its metrics on port 9090; empty is none."""
    extraEgress: Objects
    """Further egress rules."""


class Online(Area):
    """Online updates of the recommenders: one process counts events and publishes what changes."""

    enabled: bool
    """Whether to deploy it. Without it recommendations change with trainings only."""
    extraEnv: Objects
    """Further environment variables, as Kubernetes writes them."""
    podAnnotations: Labels
    """Annotations of the pod."""
    resources: Resources
    """CPU and memory of the pod. Memory does not follow the number of events."""
    tmpSize: Quantity
    """Size limit of /tmp, which holds scratchBudget and the arrays of two versions of each workload."""
    scratchBudget: int = Field(ge=1_000_000)
    """The most bytes that the events since the snapshots may take in /tmp, some 120 for each. Beyond it events change
    nothing until the next training."""
    probes: Probes
    """Health probes."""
    scheduling: Scheduling
    """Where the pod runs."""
    serviceAccount: ServiceAccount
    """The service account."""
    networkPolicy: Reach
    """With networkPolicy.enabled it reaches only DNS, brokers, catalog and object storage."""


AREAS: dict[str, Any] = {"online": Online}
