"""Trainings and compaction: Spark applications."""

from typing import Annotated, Any, Literal

from pydantic import Field

from chart_values.common import Area, Config, Heap, Quantity, Scheduling
from chart_values.kubernetes import Cron, Labels, Objects, ServiceAccount, TimeZone
from chart_values.partial import partial


class Restart(Area):
    """Retries after a failure."""

    retries: int = Field(ge=0, le=100)
    """How often a training that failed is run again."""
    retrySeconds: int = Field(ge=1)
    """Seconds from one submission to the next."""
    submissionRetries: int = Field(ge=0, le=100)
    """How often a submission that failed is tried again."""
    submissionRetrySeconds: int = Field(ge=1)
    """Seconds before that."""


class History(Area):
    """Runs of a schedule that are kept."""

    successful: int = Field(ge=0)
    """Successful runs."""
    failed: int = Field(ge=0)
    """Failed runs."""


class DynamicAllocation(Area):
    """Number of executors."""

    enabled: bool
    """Whether Spark takes and gives back executors as it needs them."""
    initialExecutors: int = Field(ge=0)
    """Executors at the start."""
    minExecutors: int = Field(ge=0)
    """Fewest executors."""
    maxExecutors: int = Field(ge=1)
    """Most executors."""


class Driver(Area):
    """The driver, which plans and evaluates."""

    cores: int = Field(ge=1)
    """Cores as Spark counts them: tasks at once."""
    coreRequest: Quantity
    """CPU request."""
    coreLimit: Quantity
    """CPU limit."""
    memory: Heap
    """Heap of the JVM."""
    memoryOverhead: Heap
    """Memory beside the heap, also for Python."""
    javaOptions: str
    """Further options of the JVM."""
    annotations: Labels
    """Annotations of the pods."""
    scheduling: Scheduling
    """Where it runs."""


class Executor(Driver):
    """The executors, which read and compute."""

    instances: int = Field(ge=1)
    """Number of executors; not read where dynamicAllocation sets it."""


class Reach(Area):
    """Network access of Spark's pods."""

    metricsFrom: Objects
    """NetworkPolicy peers that may read the driver's metrics on port 4040; empty is none."""
    extraEgress: Objects
    """Further egress rules."""


class Training(Area):
    """Trainings: a Spark application per workload."""

    enabled: bool
    """Whether to make trainings; needs spark-operator with its webhook."""
    sparkVersion: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    """The Spark of the image."""
    schedule: Cron
    """Cron schedule such as "0 2 * * *"; empty trains once after the install, and after an upgrade that changes the
    job. Recommendations follow the events in either case, as long ago as the training may be."""
    timeZone: TimeZone
    """Time zone of the schedule."""
    suspend: bool
    """Whether starts are suspended."""
    windows: list[Literal["1/3", "2/3", "all"]] = Field(min_length=1)
    """Windows of the data that are trained: 1/3, 2/3, all."""
    models: list[str]
    """Only these models of a workload; empty is all."""
    follow: str = Field(pattern=r"^([1-9][0-9]*(rows?|[smhd]))?$")
    """Keep running, and train whenever that much is new: 1000rows, 10m; empty trains once a run."""
    waitSeconds: int = Field(ge=0, le=7 * 86_400)
    """Seconds that a driver waits for the first rows, without executors; then it fails, and `restart` counts."""
    arguments: list[str]
    """Further arguments of train.py, such as --window=2/3."""
    restart: Restart
    """Retries after a failure."""
    timeToLiveSeconds: int = Field(ge=0)
    """Seconds that a finished application is kept; 0 keeps it for ever."""
    history: History
    """Runs of a schedule that are kept."""
    dynamicAllocation: DynamicAllocation
    """Number of executors."""
    driver: Driver
    """The driver, which plans and evaluates."""
    executor: Executor
    """The executors, which read and compute."""
    sparkConf: Config
    """Further Spark settings; they win over the chart's."""
    tmpSize: Quantity
    """Size limit of /tmp in driver and executors."""
    localDirSize: Quantity
    """Size limit of shuffle and spill files in driver and executors."""
    serviceAccount: ServiceAccount
    """The service account."""
    networkPolicy: Reach
    """With networkPolicy.enabled Spark's pods reach only each other, DNS, object storage, catalog and the Kubernetes
    API."""


ForWorkload = partial(Training, without=("serviceAccount", "networkPolicy"))


class AllTrainings(Training):
    """Trainings: a Spark application per workload."""

    workloads: dict[str, ForWorkload]  # pyright: ignore[reportInvalidTypeForm] - made above
    """Values of single workloads, over those here: {courses: {schedule: "0 2 * * *", executor: {memory: 2g}}}. A
    workload is left out by {products: {enabled: false}}."""


class Retain(Area):
    """Versions that are kept beside champions, of now and before. Others go with assignments and snapshots' tags."""

    versions: int = Field(ge=1)
    """The newest versions of each model."""
    days: float = Field(ge=1)
    """Days for which every version is kept."""


class Compaction(Area):
    """Compaction of the lake: small files are rewritten as large ones, old snapshots expire, old versions go."""

    enabled: bool
    """Whether small files are rewritten, old snapshots expired, old versions removed; its pods are sized as trainings
    are."""
    schedule: Annotated[Cron, Field(min_length=1)]
    """Cron schedule."""
    timeZone: TimeZone
    """Time zone of the schedule."""
    suspend: bool
    """Whether starts are suspended."""
    keepDays: float = Field(gt=0)
    """Days after which snapshots expire, where catalog.upkeep does not expire them earlier. Those that a kept version
    was trained on stay for a year."""
    retain: Retain
    """Versions that are kept beside champions, of now and before. Others go with assignments and snapshots' tags."""


AREAS: dict[str, Any] = {"training": AllTrainings, "compaction": Compaction}
