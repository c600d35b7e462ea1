"""Pages scored as they arrive: Spark applications that never end."""

from typing import Any

from pydantic import Field

from chart_values.common import Area, Config, Quantity
from chart_values.kubernetes import Objects, ServiceAccount
from chart_values.training import Driver, Executor


class Restart(Area):
    """What happens after an end: the application is started again, for ever."""

    retrySeconds: int = Field(ge=1)
    """Seconds from a submission to the next, times the attempts so far: at once for one that ran long."""
    submissionRetrySeconds: int = Field(ge=1)
    """Seconds from a submission that failed to the next, times the attempts so far."""


class Reach(Area):
    """Whom Spark's pods reach."""

    metricsFrom: Objects
    """NetworkPolicy peers that may read the driver's metrics on the ports 4040 and 9090; empty is none."""
    extraEgress: Objects
    """Further egress rules."""


class Stream(Area):
    """Pages scored as they arrive: a Spark application per workload with pages, which never ends."""

    enabled: bool
    """Whether the applications are made; needs spark-operator with its webhook."""
    workloads: list[str]
    """Only these of the workloads with pages; empty is all of them."""
    suspend: bool
    """Whether nothing is started for now."""
    intervalSeconds: float = Field(ge=0.1, le=3600)
    """Seconds between two micro-batches while pages arrive; each is a commit to the lake."""
    maxOffsetsPerTrigger: int = Field(ge=1)
    """The most records of a micro-batch."""
    arguments: list[str]
    """Further arguments of stream.py."""
    restart: Restart
    """What happens after an end: the application is started again, for ever."""
    driver: Driver
    """The driver, which plans each batch and keeps the windows."""
    executor: Executor
    """The executors, which score and write."""
    sparkConf: Config
    """Spark's own settings, over those of the chart."""
    tmpSize: Quantity
    """The largest size of /tmp in driver and executors."""
    localDirSize: Quantity
    """The largest size of shuffle and spill files in driver and executors."""
    serviceAccount: ServiceAccount
    """The service account of driver and executors."""
    networkPolicy: Reach
    """Whom Spark's pods reach."""


AREAS: dict[str, Any] = {"stream": Stream}
