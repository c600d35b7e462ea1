"""The Iceberg catalog's database."""

from pydantic import Field

from chart_values.common import Area, Disk, Image, Name, Resources, Scheduling


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
    external: External
    """An existing PostgreSQL."""


AREAS = {"catalog": Catalog}
