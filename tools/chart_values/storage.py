"""Object storage for lake and models."""

from typing import Literal

from pydantic import Field

from chart_values.common import Area, Bucket, Disk, Image, Name, Resources, Scheduling


class Buckets(Area):
    """Names of the two buckets."""

    lake: Bucket
    """The tables."""
    models: Bucket
    """The models."""


class Seaweedfs(Area):
    """One SeaweedFS with one disk and a user for each component. For more than a trial use an S3 that replicates."""

    image: Image
    """Image of SeaweedFS."""
    user: int = Field(ge=1)
    """User ID that it runs as; it owns the volume."""
    resources: Resources
    """CPU and memory."""
    storage: Disk
    """The disk. It outlives the release."""
    scheduling: Scheduling
    """Where the pod runs."""


class Minio(Area):
    """MinIO with one login for all, for releases that began with it; its project is archived."""

    enabled: bool
    """Whether to use it instead of SeaweedFS."""
    image: Image
    """Image of MinIO."""
    user: int = Field(ge=1)
    """User ID that it runs as; it owns the volume."""
    existingSecret: Name
    """Secret with access-key and secret-key. Empty makes one, once."""
    resources: Resources
    """CPU and memory."""
    storage: Disk
    """The disk. It outlives the release."""
    scheduling: Scheduling
    """Where the pod runs."""


class External(Area):
    """An existing S3."""

    enabled: bool
    """Whether to use it."""
    endpoint: str = Field(pattern=r"^(https?://[^\s]+)?$")
    """Address, such as https://s3.example.com. Empty means AWS itself."""
    region: str = Field(min_length=1)
    """Region of the buckets."""
    existingSecret: Name
    """Secret with access-key and secret-key. Empty means that the service accounts have a role (AWS only)."""
    secrets: dict[Literal["api", "connect", "ingest", "online", "provision", "stream", "train"], Name]
    """Such secrets by component (api, connect, ...), where each has its own user; files/rights.yaml lists the rights
    it needs."""
    serviceAccountAnnotations: dict[str, str]
    """Annotations of our service accounts, such as eks.amazonaws.com/role-arn. EKS Pod Identity needs none."""


class Storage(Area):
    """Object storage for lake and models: SeaweedFS in the cluster, or any S3."""

    buckets: Buckets
    """Names of the two buckets."""
    versionBudget: int = Field(ge=1_000_000)
    """Most bytes that the arrays of a model's version may take; one over it is neither published nor loaded. Twice this
    must fit into online.resources and api.tmpSize."""
    seaweedfs: Seaweedfs
    """One SeaweedFS with one disk and a user for each component. For more than a trial use an S3 that replicates."""
    minio: Minio
    """MinIO with one login for all, for releases that began with it; its project is archived."""
    external: External
    """An existing S3."""


AREAS = {"storage": Storage}
