"""The brokers: ours, or those that are there already."""

from typing import Literal

from pydantic import Field

from chart_values.common import Area, Config, Disk, Heap, Name, Resources, StrimziScheduling

Odd = Literal[0, 1, 3, 5, 7, 9]


class Controllers(Area):
    """Dedicated controllers, for clusters with many partitions."""

    replicas: Odd
    """Number of controllers: 0 (the brokers do it), or an odd number."""
    heap: Heap
    """Heap of a controller."""
    resources: Resources
    """CPU and memory of a controller."""
    storage: Disk
    """The disk of a controller. It outlives the release."""


class Rack(Area):
    """Rack awareness: copies of a partition are spread over zones."""

    topologyKey: str = Field(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9_.-]*$")
    """Node label that names the zone, such as topology.kubernetes.io/zone. Empty switches it off."""


class Exporter(Area):
    """Kafka Exporter, which reports the lag of consumer groups for the alerts."""

    enabled: bool
    """Whether to deploy it."""
    resources: Resources
    """CPU and memory."""


class EntityOperator(Area):
    """Strimzi's operators for topics and users, two containers in one pod."""

    resources: Resources
    """CPU and memory of each of the two."""


class External(Area):
    """An existing Kafka. Then the chart makes no brokers and no users."""

    enabled: bool
    """Whether to use it."""
    bootstrap: str = Field(pattern=r"^([A-Za-z0-9.-]+:[0-9]+(,[A-Za-z0-9.-]+:[0-9]+)*)?$")
    """Brokers as host:port,host:port."""
    securityProtocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    saslMechanism: Literal["SCRAM-SHA-512", "PLAIN", "AWS_MSK_IAM"]
    """SCRAM-SHA-512, PLAIN, or AWS_MSK_IAM (MSK on port 9098, by the service accounts' roles). Read with SASL only."""
    username: str
    """User of all components. Not with AWS_MSK_IAM."""
    existingSecret: Name
    """Secret with that user's password (key password). Not with AWS_MSK_IAM."""
    caSecret: Name
    """Secret with the brokers' CA (key ca.crt). Empty where a public CA signed their certificates."""


class Kafka(Area):
    """The brokers, as Strimzi resources."""

    version: str = Field(pattern=r"^4\.[0-9]+\.[0-9]+$")
    """Version of Kafka; Strimzi 1.2.0 supports 4.2.0 to 4.3.1."""
    metadataVersion: str = Field(pattern=r"^(4\.[0-9]+(-IV[0-9]+)?)?$")
    """Version of the metadata format, such as 4.3-IV0. Empty follows `version`; after an upgrade there is no way
    back."""
    image: str
    """Image of the brokers. Empty means Strimzi's own for that version."""
    replicas: int = Field(ge=1, le=100)
    """Number of brokers. They are controllers too, unless `controllers.replicas` is above 0."""
    partitions: int = Field(ge=1, le=1000)
    """Partitions of a records topic. It can be raised, never lowered."""
    retentionDays: int = Field(ge=1, le=3650)
    """Days that Kafka keeps records, which the lake keeps for good: so long may sinks and stream be down. Topics that
    are in somebody else's Kafka already keep what they have."""
    replicationFactor: int = Field(ge=1, le=10)
    """Copies of each record. At most as many as there are brokers."""
    minInSyncReplicas: int = Field(ge=1, le=10)
    """Copies that must hold a record before it is acknowledged. One less than the copies, so that one broker may be
    down."""
    heap: Heap
    """Heap of a broker. The rest of its memory is page cache, which Kafka depends on."""
    resources: Resources
    """CPU and memory of a broker."""
    storage: Disk
    """The disk of a broker. It outlives the release."""
    controllers: Controllers
    """Dedicated controllers, for clusters with many partitions."""
    rack: Rack
    """Rack awareness: copies of a partition are spread over zones."""
    spread: Literal["ScheduleAnyway", "DoNotSchedule"]
    """Whether brokers may share a node or zone when no other is free: ScheduleAnyway or DoNotSchedule."""
    scheduling: StrimziScheduling
    """Where brokers run."""
    config: Config
    """Further broker settings; they win over the chart's."""
    metrics: bool
    """Whether brokers expose Prometheus metrics (Strimzi's reporter, port 9404)."""
    exporter: Exporter
    """Kafka Exporter, which reports the lag of consumer groups for the alerts."""
    entityOperator: EntityOperator
    """Strimzi's operators for topics and users, two containers in one pod."""
    keepOnUninstall: bool
    """Whether Kafka keeps running after `helm uninstall`. Its volumes stay in any case, but a new Kafka on old
    volumes must be told its former cluster id (see README.md). Topics are never deleted by the chart."""
    paused: bool
    """Whether Strimzi's reconciliation is paused: for maintenance, and to give a new Kafka its former cluster id
    before its brokers start (see README.md)."""
    external: External
    """An existing Kafka. Then the chart makes no brokers and no users, and the topics by `millrace provision`."""


AREAS = {"kafka": Kafka}
