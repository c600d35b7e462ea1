"""The job that makes buckets, tables and topics."""

from pydantic import Field

from chart_values.common import Area, Resources, Scheduling


class Provision(Area):
    """The job that makes buckets and tables (and topics in an external Kafka) after each install and upgrade."""

    enabled: bool
    """Whether it runs."""
    buckets: bool
    """Whether it makes the buckets. Switch it off where its role may not."""
    retries: int = Field(ge=0, le=1000)
    """How often its pod is started again; each waits ten minutes for the other parts."""
    deadlineSeconds: int = Field(ge=0)
    """When it is given up, in seconds; 0 is never."""
    resources: Resources
    """CPU and memory."""
    scheduling: Scheduling
    """Where the pod runs."""


AREAS = {"provision": Provision}
