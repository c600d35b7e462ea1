"""The job that makes buckets, tables and topics."""

from pydantic import Field

from chart_values.common import Area, Resources, Scheduling


class Provision(Area):
    """The job that creates buckets and tables (and topics in an external Kafka) after each install and upgrade."""

    enabled: bool
    """Whether to deploy it."""
    buckets: bool
    """Whether it creates the buckets. Switch it off where its role may not."""
    retries: int = Field(ge=0, le=1000)
    """Retries of its pod; each waits up to ten minutes for the other parts."""
    deadlineSeconds: int = Field(ge=0)
    """Seconds after which it is given up; 0 is never."""
    resources: Resources
    """CPU and memory."""
    scheduling: Scheduling
    """Where the pod runs."""


AREAS = {"provision": Provision}
