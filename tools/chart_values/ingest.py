"""Ingest: records into Kafka."""

from typing import Annotated, Any

from pydantic import Field

from chart_values.common import ABSENT, Area, Name, Quantity, Resources, Scheduling
from chart_values.kubernetes import Cron, Objects, Port, ServiceAccount, TimeZone

JobName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=20)]


def drop_default(schema: dict[str, Any]) -> None:
    """A key that may be missing has no default in the schema."""
    schema.pop("default", None)


class Generate(Area):
    """Records that are made instead of read."""

    rows: int = Field(ge=1)
    """How many."""
    seed: int = Field(7, json_schema_extra=drop_default)
    """The same seed makes the same rows, and those are published once."""


class Job(Area):
    """A Job, or a CronJob where it has a schedule."""

    name: JobName
    """Of the job, unique, at most 20 characters."""
    workload: str = Field(min_length=1)
    """The workload whose records they are."""
    source: str = Field("", json_schema_extra=drop_default, pattern=r"^((s3|https?)://\S+/\S*|/data/\S+)?$")
    """s3://bucket/key, https://..., or a file below /data, where persistentVolumeClaim or configMap is mounted."""
    generate: Generate = Field(ABSENT, json_schema_extra=drop_default)
    """Records that are made instead of a source."""
    persistentVolumeClaim: Name = Field("", json_schema_extra=drop_default)
    """A claim that is mounted at /data, read-only."""
    configMap: Name = Field("", json_schema_extra=drop_default)
    """A ConfigMap that is mounted at /data."""
    schedule: Cron = Field("", json_schema_extra=drop_default)
    """Cron schedule; without one the job runs once."""
    timeZone: TimeZone = Field(ABSENT, json_schema_extra=drop_default)
    """Time zone of the schedule; by default Etc/UTC."""
    suspend: bool = Field(False, json_schema_extra=drop_default)
    """Whether starts are suspended."""
    rate: str = Field("", json_schema_extra=drop_default, pattern=r"^([0-9]+(\.[0-9]+)?/[smh])?$")
    """Replay as a live source: 100/s, 30/m."""
    randomPauses: bool = Field(False, json_schema_extra=drop_default)
    """With a rate: pauses as independent arrivals have."""
    limit: int = Field(ABSENT, json_schema_extra=drop_default, ge=1)
    """Read at most so many rows."""
    args: list[str] = Field([], json_schema_extra=drop_default)
    """Further arguments, such as --again."""
    env: Objects = Field([], json_schema_extra=drop_default)
    """Further environment variables, as Kubernetes writes them."""


class Reach(Area):
    """Whom ingest reaches."""

    sourcePorts: list[Port]
    """Ports from which sources are read; empty is none."""
    extraEgress: Objects
    """Further egress rules."""


class Ingest(Area):
    """Ingest: records into Kafka."""

    jobs: list[Job]
    """One Job each, or a CronJob where it has a schedule:
      name: of the job, unique          workload: courses
      source: s3://bucket/key, https://..., or a file below /data, where persistentVolumeClaim or configMap is mounted
      generate: {rows: 4000, seed: 7} makes records instead of a source
      schedule, timeZone, suspend: of a CronJob
      rate: 100/s, randomPauses: true, limit: 1000, args: [--again], env: [{name: .., value: ..}]
    The same source again publishes nothing, so jobs can be repeated.
    """
    resources: Resources
    """CPU and memory of a pod."""
    backoffLimit: int = Field(ge=0, le=100)
    """Retries of a failed ingest, with growing pauses; bad input is not retried."""
    ttlSecondsAfterFinished: int = Field(ge=0)
    """Seconds that a finished Job is kept; 0 keeps it for ever. One that is gone is run again by the next upgrade."""
    tmpSize: Quantity
    """Size limit of /tmp, where sources from s3:// and https:// are put before they are read."""
    dataSize: Quantity
    """Size limit of generated records."""
    scheduling: Scheduling
    """Where pods run."""
    serviceAccount: ServiceAccount
    """The service account."""
    networkPolicy: Reach
    """With networkPolicy.enabled ingest reaches only DNS, brokers, object storage and the ports below."""


AREAS = {"ingest": Ingest}
