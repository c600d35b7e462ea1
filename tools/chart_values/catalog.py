"""The Iceberg catalog's database."""

from typing import Annotated

from pydantic import Field

from chart_values.common import Area, Disk, Image, Name, Resources, Scheduling
from chart_values.kubernetes import Cron, TimeZone


class External(Area):
    """An existing PostgreSQL."""

    enabled: bool
    """Whether to use it."""
    jdbc: str = Field(pattern=r"^(jdbc:postgresql://[^\s/]+/[^\s]+)?$")
    """Address as jdbc:postgresql://host:5432/database."""
    user: str
    """User, who may create tables in that database."""
    existingSecret: Name
    """Secret with that user's password (key password)."""
    caSecret: Name
    """Secret with the authority that signed the server's certificate (key ca.crt), which must then name its host.
    Empty leaves it to `jdbc`."""


class Upkeep(Area):
    """Upkeep of the lake: backups of the catalog in the lake's bucket, and an end to old snapshots and metadata."""

    enabled: bool
    """Whether to deploy it; its pod has the identity of the provisioning job, and needs provision.enabled."""
    schedule: Annotated[Cron, Field(min_length=1)]
    """Cron schedule."""
    timeZone: TimeZone
    """Time zone of the schedule."""
    suspend: bool
    """Whether starts are suspended, as they must be while a catalog is restored."""
    deadlineSeconds: int = Field(ge=60)
    """Seconds after which a run is ended; the next one goes on."""
    backupDays: int = Field(ge=1, le=3650)
    """Days for which backups are kept: one of each hour for two days, then one of each day."""
    resources: Resources
    """CPU and memory."""


class Catalog(Area):
    """The Iceberg catalog: PostgreSQL in the cluster, or an existing one."""

    image: Image
    """Image of PostgreSQL. Another major version needs a dump and a restore."""
    user: int = Field(ge=1)
    """The image's user; it owns the volume."""
    existingSecret: Name
    """Secret with the password (key password). Empty makes one, once."""
    resources: Resources
    """CPU and memory."""
    storage: Disk
    """The disk. It outlives the release."""
    scheduling: Scheduling
    """Where the pod runs."""
    upkeep: Upkeep
    """Upkeep of the lake: backups of the catalog in the lake's bucket, and an end to old snapshots and metadata."""
    external: External
    """An existing PostgreSQL."""


AREAS = {"catalog": Catalog}
