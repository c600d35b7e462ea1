"""Names, images, workloads: what concerns every part."""

from typing import Annotated, Any, Literal

from pydantic import Field

from chart_values.common import Area, Name
from chart_values.kubernetes import Port

ShortName = Annotated[str, Field(pattern=r"^([a-z]([-a-z0-9]*[a-z0-9])?)?$", max_length=40)]


class Images(Area):
    """Registry and tag of our own images: <registry>/millrace-{api,spark,connect,ingest}:<tag>."""

    registry: str = Field(min_length=1, pattern=r"^[a-zA-Z0-9][^\s]*$")
    """Registry, with a path where it has one. `localhost` means images that were loaded into the nodes."""
    tag: str = Field(pattern=r"^[A-Za-z0-9_.-]{0,128}$")
    """Tag of all four images. By default the chart's appVersion."""
    digests: dict[Literal["api", "spark", "connect", "ingest"], Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]]
    """Digests (sha256:...) by image name, which then count instead of the tag."""
    pullPolicy: Literal["Always", "IfNotPresent", "Never"]
    """When a node asks the registry for an image: Always, IfNotPresent or Never."""
    pullSecrets: list[Name]
    """Names of the secrets for the registry."""


class PodSecurity(Area):
    """The user of our own images. Everything else of Pod Security "restricted" is fixed."""

    user: int = Field(ge=1)
    """User, group and owner of the volumes."""


class ApiServer(Area):
    """The Kubernetes API, from which drivers get their executors, and brokers and workers their certificates."""

    cidrs: list[Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]] = Field(min_length=1)
    """Its addresses, as narrow as you can say."""
    ports: list[Port] = Field(min_length=1)
    """Its ports."""


class NetworkPolicy(Area):
    """Network policies. They need a network plugin that enforces them."""

    enabled: bool
    """Whether every pod of the release is limited, in both directions, to the connections that it needs."""
    dns: list[dict[str, Any]]
    """NetworkPolicyPeers that serve DNS; empty is every address on port 53, as a cache on the nodes needs."""
    apiServer: ApiServer
    """The Kubernetes API, from which drivers get their executors, and brokers and Connect workers their
    certificates."""
    kafkaPeers: list[dict[str, Any]]
    """Further NetworkPolicyPeers that may reach Kafka's port 9093."""


class AdmissionPolicy(Area):
    """Which pods Spark's drivers may create; a Role can't express it."""

    enabled: bool
    """Whether the API server lets a driver create only its own executors, with only the secrets that they need. A
    ValidatingAdmissionPolicy belongs to the whole cluster, so whoever installs the chart must be allowed to make
    one."""
    executorSecrets: list[Name]
    """Further secrets that executors may use, where sparkConf gives them some."""


AREAS = {
    "nameOverride": Annotated[ShortName, Field(description="Replaces the chart's name in the labels.")],
    "fullnameOverride": Annotated[
        ShortName,
        Field(description="Replaces the name that every object's name begins with. By default the release's name."),
    ],
    "workloads": Annotated[
        list[str],
        Field(description="Workloads that are set up, of those that the chart knows. Empty means all."),
    ],
    "image": Images,
    "podSecurity": PodSecurity,
    "networkPolicy": NetworkPolicy,
    "admissionPolicy": AdmissionPolicy,
}
