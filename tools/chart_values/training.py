"""Trainings and compaction: Spark applications."""

from typing import Annotated, Any, Literal

from pydantic import Field

from chart_values.common import Area, Config, Heap, Quantity, Scheduling
from chart_values.kubernetes import Cron, Labels, Objects, ServiceAccount, TimeZone
from chart_values.partial import partial


class Restart(Area):
    """What happens after a failure."""

    retries: int = Field(ge=0, le=100)
    """How often a training that failed is run again."""
    retrySeconds: int = Field(ge=1)
    """Seconds from a submission to the next."""
    submissionRetries: int = Field(ge=0, le=100)
    """How often a submission that failed is tried again."""
    submissionRetrySeconds: int = Field(ge=1)
    """Seconds before it."""


class History(Area):
    """What is kept of a schedule."""

    successful: int = Field(ge=0)
    """Runs of a schedule that are kept after success."""
    failed: int = Field(ge=0)
    """Runs of a schedule that are kept after failure."""


class DynamicAllocation(Area):
    """How many executors there are."""

    enabled: bool
    """Whether Spark takes and gives back executors as it needs them."""
    initialExecutors: int = Field(ge=0)
    """Executors at the start."""
    minExecutors: int = Field(ge=0)
    """The fewest executors."""
    maxExecutors: int = Field(ge=1)
    """The most executors."""


class Driver(Area):
    """The driver, which plans and evaluates."""

    cores: int = Field(ge=1)
    """Cores as Spark counts them: tasks at once."""
    coreRequest: Quantity
    """CPU that is asked for."""
    coreLimit: Quantity
    """CPU that may be used."""
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
    """Executors without dynamic allocation."""


class Reach(Area):
    """Whom Spark's pods reach."""

    metricsFrom: Objects
    """NetworkPolicy peers that may read the driver's metrics on port 4040; empty is none."""
    extraEgress: Objects
    """Further egress rules."""


class Training(Area):
    """Trainings: a Spark application per workload."""

    enabled: bool
    """Whether trainings are made; needs spark-operator with its webhook."""
    sparkVersion: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    """The Spark of the image."""
    schedule: Cron
    """Cron schedule such as "0 2 * * *"; empty trains once after the install, and after an upgrade that changes it."""
    timeZone: TimeZone
    """Time zone of the schedule."""
    suspend: bool
    """Whether nothing is started for now."""
    windows: list[Literal["1/3", "2/3", "all"]] = Field(min_length=1)
    """Windows of the data that are trained: 1/3, 2/3, all."""
    models: list[str]
    """Only these models of a workload; empty is all."""
    follow: str = Field(pattern=r"^([1-9][0-9]*(rows?|[smhd]))?$")
    """Never end, and train when so much is new: 1000rows, 10m; empty trains once a run."""
    waitSeconds: int = Field(ge=0, le=7 * 86_400)
    """Seconds that a driver waits for the first rows, without executors; then it fails, and `restart` counts."""
    arguments: list[str]
    """Further arguments of train.py, such as --accept-gaps."""
    restart: Restart
    """What happens after a failure."""
    timeToLiveSeconds: int = Field(ge=0)
    """Seconds that an application is kept after its end; 0 keeps it."""
    history: History
    """What is kept of a schedule."""
    dynamicAllocation: DynamicAllocation
    """How many executors there are."""
    driver: Driver
    """The driver, which plans and evaluates."""
    executor: Executor
    """The executors, which read and compute."""
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


ForWorkload = partial(Training, without=("serviceAccount", "networkPolicy"))


class AllTrainings(Training):
    """Trainings: a Spark application per workload."""

    workloads: dict[str, ForWorkload]  # pyright: ignore[reportInvalidTypeForm] - made above
    """Values of one workload over those here, such as {courses: {schedule: "0 2 * * *"}}."""


class Compaction(Area):
    """Small files of the lake become large ones, and old snapshots go."""

    enabled: bool
    """Whether it is done; its pods are sized as trainings are."""
    schedule: Annotated[Cron, Field(min_length=1)]
    """Cron schedule."""
    timeZone: TimeZone
    """Time zone of the schedule."""
    suspend: bool
    """Whether nothing is started for now."""
    keepDays: float = Field(gt=0)
    """Days up to which every snapshot is kept; snapshots of trained models stay for a year."""


AREAS: dict[str, Any] = {"training": AllTrainings, "compaction": Compaction}
