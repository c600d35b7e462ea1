"""Kafka Connect with the Iceberg sink."""

from pydantic import Field

from chart_values.common import Area, Config, Heap, Quantity, Resources, StrimziScheduling


class Connect(Area):
    """Kafka Connect with the Iceberg sink, which writes records to the lake."""

    enabled: bool
    """Whether to deploy it."""
    replicas: int = Field(ge=1, le=50)
    """Number of workers. Each sink runs on one of them; another takes over when that one dies."""
    commitIntervalSeconds: int = Field(ge=1, le=3600)
    """How often the sinks commit to the lake, in seconds. A shorter time makes fresher and more, smaller files."""
    maxRestarts: int = Field(ge=0)
    """How often the operator restarts a failed sink. 0 means without limit, with growing pauses."""
    heap: Heap
    """Heap of a worker."""
    resources: Resources
    """CPU and memory of a worker."""
    stagingSize: Quantity
    """Disk on which a worker stages its uploads: 32 MB for every file that is open."""
    metrics: bool
    """Whether workers expose Prometheus metrics (Strimzi's reporter, port 9404)."""
    config: Config
    """Further worker settings; they win over the chart's."""
    connectorConfig: Config
    """Further settings of every sink; they win over the chart's."""
    scheduling: StrimziScheduling
    """Where workers run."""


AREAS = {"connect": Connect}
