"""What several parts of the values share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")]
"""An amount as Kubernetes writes it: 500m, 2, 1536Mi."""

Heap = Annotated[str, Field(pattern=r"^[1-9][0-9]*[mg]$")]
"""Memory as a JVM writes it: 512m, 4g."""

Name = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
"""The name of a Kubernetes object, or nothing."""

Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
"""The name of a bucket, by S3's rules."""

Image = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][^\s]*$")]
"""The full name of an image."""

Config = dict[str, str | int | float | bool]
"""Settings of Kafka or Connect, as their manuals name them."""


ABSENT: Any = None
"""The default of a key that is not required; no value that a file could hold."""


class Area(BaseModel):
    """A block of values. A key that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Amounts(Area):
    """CPU and memory."""

    cpu: Quantity | int
    """CPUs: 500m, 2."""
    memory: Quantity
    """Memory: 512Mi, 2Gi."""


class Resources(Area):
    """CPU and memory of a container."""

    requests: Amounts
    """What the scheduler sets aside for it."""
    limits: Amounts
    """What it cannot exceed."""


class Disk(Area):
    """A volume claim. It outlives the release."""

    size: Quantity
    """Size of the claim. It can be raised where the storage class allows it."""
    class_: Name = Field(alias="class")
    """Storage class. Empty means the cluster's default."""


class StrimziScheduling(Area):
    """Where pods run that Strimzi makes."""

    tolerations: list[dict[str, Any]]
    """Taints of nodes that the pods tolerate."""
    affinity: dict[str, Any]
    """Affinity rules."""
    priorityClassName: Name
    """Priority class of the pods. Empty means the cluster's default."""


class Scheduling(StrimziScheduling):
    """Where pods run."""

    nodeSelector: dict[str, str]
    """Labels that a node must have."""
