"""Pages scored as they arrive: endless Spark applications."""

from typing import Any

from pydantic import Field

from chart_values.common import Area, Config, Quantity
from chart_values.kubernetes import Objects, ServiceAccount
from chart_values.training import Driver, Executor


class Restart(Area):
    """When an application that ended is started again; the attempts have no limit."""

    retrySeconds: int = Field(ge=1)
    """Seconds from a submission to the next, times the attempts so far: at once for one that ran long. An upgrade
    that changes the application counts anew."""
    submissionRetrySeconds: int = Field(ge=1)
    """Seconds from a submission that failed to the next, times the attempts so far."""


class Reach(Area):
    """Network access of Spark's pods."""

    metricsFrom: Objects
    """NetworkPolicy peers that may read the driver's metrics on the ports 4040 and 9090; empty is none."""
    extraEgress: Objects
    """Further egress rules."""


class Stream(Area):
    """Pages scored as they arrive: an endless Spark application for each workload with pages."""

    enabled: bool
    """Whether to make the applications; needs spark-operator with its webhook."""
    workloads: list[str]
    """Only these of the workloads with pages; empty is all of them."""
    suspend: bool
    """Whether starts are suspended."""
    intervalSeconds: float = Field(ge=0.1, le=3600)
    """Seconds between two micro-batches while pages arrive; each is a commit to the lake."""
    maxOffsetsPerTrigger: int = Field(ge=1)
    """Most records in a micro-batch."""
    arguments: list[str]
    """Further arguments of stream.py."""
    restart: Restart
    """When an application that ended is started again; the attempts have no limit."""
    driver: Driver
    """The driver, which plans each batch and keeps the windows."""
    executor: Executor
    """The executors, which score and write."""
    sparkConf: Config
    """Further Spark settings; they win over the chart's."""
    tmpSize: Quantity
    """Size limit of /tmp in driver and executors. The driver's holds up to 16 bytes for each page of the table."""
    localDirSize: Quantity
    """Size limit of shuffle and spill files in driver and executors."""
    serviceAccount: ServiceAccount
    """The service account."""
    networkPolicy: Reach
    """As of trainings."""


AREAS: dict[str, Any] = {"stream": Stream}
