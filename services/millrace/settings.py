"""Every setting of Millrace, read once per process.

A value comes from, first found wins: an environment variable `MILLRACE_<NAME>` (unless Kubernetes made it), the file
`.env` in the working directory, the addresses of the stack that runs in `home` (endpoints.json, written by
`millrace up` and believed as long as the stack runs), the default below.
"""

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from millrace.errors import BadInputError, UnavailableError
from millrace.runtime.api_settings import ApiSettings
from millrace.runtime.permissions import explain_unreadable
from millrace.runtime.proxies import exempt_loopback
from millrace.runtime.setting_types import File, Given, Secret, find_half_login
from millrace.runtime.sources import ENDPOINTS, OWN_STACK, DotEnv, Environment, RunningStack

REPOSITORY = Path(__file__).resolve().parents[2]


class Settings(ApiSettings):
    """Addresses, limits and switches. Durations are seconds, sizes are bytes."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_", extra="ignore", validate_default=True)

    home: Path = Path(".millrace")
    """Where the one-machine stack keeps its data, logs and addresses. The default value is .millrace."""
    cache: Path = Path("~/.cache/millrace")
    """Where downloaded jars are kept, shared by all checkouts. The default value is ~/.cache/millrace."""

    workloads: str = ""
    """The workloads in use, comma-separated; empty means all. The default value is empty."""
    workload_modules: str = ""
    """Modules with further workloads, comma-separated. The default value is empty."""

    maven_url: str = "https://repo1.maven.org/maven2"
    """Where jars are downloaded from. The default value is https://repo1.maven.org/maven2."""
    local_s3: str = Field("s3proxy", pattern="^(s3proxy|minio)$")
    """The S3 server of the one-machine stack: s3proxy, or minio where its binary is found. The default value is
    s3proxy."""
    minio: Path | None = None
    """The MinIO binary; where it is given, MinIO is the S3 server. No default value."""
    local_live: bool = True
    """Whether `millrace up` also starts what follows the streams; false saves a gigabyte of memory. The default value
    is true."""
    local_upkeep: bool = True
    """Whether the stack looks after its lake: `catalog upkeep` by the quarter hour, `compact` daily. The default value
    is true."""
    local_disk: int = Field(2_000_000_000, ge=0)
    """Free bytes that `millrace up` insists on in `home`. The default value is 2000000000."""

    kafka_bootstrap: str = OWN_STACK
    """host:port list of the brokers; `stack` is the one-machine stack of `home`. The default value is stack."""
    kafka_partitions: int = Field(4, ge=1, le=1000)
    """Partitions of a new records topic. The default value is 4."""
    kafka_replication: int = Field(1, ge=1, le=10)
    """Replicas of a new topic; 3 on a cluster. The default value is 1."""
    kafka_retention_days: int = Field(7, ge=1, le=3650)
    """Days that a new records topic keeps records; the lake keeps them for good. The default value is 7."""
    kafka_client: str = Field("kafka-python", pattern="^(kafka-python|confluent-kafka)$")
    """The producer: kafka-python, or confluent-kafka with the extra `fast`. The default value is kafka-python."""
    kafka_security_protocol: str = Field("PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$")
    """How the brokers are spoken to, in Kafka's own words. The default value is PLAINTEXT."""
    kafka_sasl_mechanism: str = Field("SCRAM-SHA-512", pattern="^(SCRAM-SHA-256|SCRAM-SHA-512|PLAIN|AWS_MSK_IAM)$")
    """The login with SASL_*; AWS_MSK_IAM uses the machine's own identity. The default value is SCRAM-SHA-512."""
    kafka_username: Given | None = None
    """The user of SCRAM and PLAIN. No default value."""
    kafka_password: Secret | None = None
    """The password that goes with kafka_username. No default value."""
    kafka_ca_file: File | None = None
    """PEM file of the authority that signed the brokers' certificates; none means the system's. No default value."""
    kafka_timeout: float = Field(30.0, gt=0, le=600)
    """How long a broker may be away before a command gives up with an error. The default value is 30."""

    connect_url: str = OWN_STACK
    """The REST address of Kafka Connect; `stack` is the one-machine stack of `home`. The default value is stack."""
    connect_user: Given | None = None
    """The user of Kafka Connect's REST address, where it asks for one. No default value."""
    connect_password: Secret | None = None
    """The password that goes with connect_user. No default value."""
    commit_interval: float = Field(5.0, ge=1, le=3600)
    """How often the sink commits a batch to the lake. The default value is 5."""
    sink_skip_limit: int = Field(10, ge=0, le=10_000)
    """How many records of a workload may be moved to its rejected rows within an hour because the lake can't hold them;
    0 leaves them in the sink's way. The default value is 10."""

    s3_endpoint: str | None = OWN_STACK
    """The object storage; empty means AWS itself, `stack` the one-machine stack of `home`. The default value is
    stack."""
    s3_region: str = "us-east-1"
    """The region of the buckets. The default value is us-east-1."""
    s3_access_key: Given | None = None
    """Access key; none means the machine's own identity. No default value."""
    s3_secret_key: Secret | None = None
    """Secret key that goes with s3_access_key. No default value."""
    lake_bucket: str = "millrace-lake"
    """The bucket of the tables. The default value is millrace-lake."""
    models_bucket: str = "millrace-models"
    """The bucket of the registry. The default value is millrace-models."""
    version_budget: int = Field(256_000_000, ge=1_000_000)
    """The most bytes that the arrays of a model's version may take: one over it is neither published nor loaded. Twice
    this must fit into the disk of `millrace online`, beside online_scratch_budget, and into that of api_arrays. The
    default value is 256000000."""

    catalog_jdbc: str = OWN_STACK
    """JDBC address of the Iceberg catalog; `stack` is the one-machine stack of `home`. The default value is stack."""
    catalog_user: Given | None = None
    """User of the catalog's database. No default value."""
    catalog_password: Secret | None = None
    """Password of the catalog's database. No default value."""
    catalog_backup_days: int = Field(14, ge=1, le=3650)
    """Days for which backups of the catalog are kept. The default value is 14."""
    snapshot_history: float = Field(3600.0, ge=600, le=604_800)
    """How long untagged snapshots stay in the lake; longer than a compaction takes. The default value is 3600."""

    online_scratch_budget: int = Field(4_000_000_000, ge=1_000_000)
    """The most bytes that `millrace online` may take in the folder `online` of `home`, for the events since the
    snapshots: some 120 for each. The default value is 4000000000."""

    metrics_port: int | None = Field(None, ge=1, le=65535)
    """Where the stream, the updater and a continual training, which have no API of their own, answer Prometheus. No
    default value."""

    metrics_host: Given = "127.0.0.1"
    """The address that metrics_port is opened on. The default value is 127.0.0.1."""

    stream_interval: float = Field(1.0, ge=0.1, le=3600)
    """How often the stream takes a micro-batch, while pages arrive. The default value is 1."""
    stream_rows: int = Field(20_000, ge=1)
    """The most records of a micro-batch. The default value is 20000."""

    code_version: str | None = None
    """What a manifest says of the code, set by the images; none means the commit of the checkout. No default value."""
    retain_versions: int = Field(20, ge=1)
    """The newest versions of a model that `compact` keeps, beside all champions. The default value is 20."""
    retain_days: float = Field(14.0, ge=1)
    """Days for which it keeps every version. The default value is 14."""
    gate_margin: float = Field(0.02, ge=0, le=1)
    """How much worse than the champion (silhouette) a version may be and still pass. The default value is 0.02."""
    spark_master: str = "local[*]"
    """The Spark master. The default value is local[*]."""
    spark_memory: str = Field("2g", pattern=r"^\d+[mg]$")
    """Memory of the Spark driver. The default value is 2g."""

    @field_validator("s3_endpoint", "kafka_ca_file", "kafka_username", "catalog_user", mode="before")
    @classmethod
    def _empty(cls, value: object) -> object:
        """A variable that is set to nothing, as charts write one, means none. No password or key is among them."""
        return None if value == "" else value

    @field_validator("cache", "home")
    @classmethod
    def _expand(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        stack = RunningStack(settings_cls, cls.model_fields["home"].default)
        return init_settings, Environment(settings_cls), DotEnv(settings_cls), stack


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process. Raises BadInputError that names the variable and what is allowed.

    Who asks for an address will call it: from here on no client asks a proxy for one of this machine.
    """
    exempt_loopback(os.environ)
    try:
        current = Settings()  # pyright: ignore[reportCallIssue] - it takes no positional default of Field for one
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise BadInputError(
            f"MILLRACE_{name.upper()}={first['input']!r} is not usable: {first['msg'].removeprefix('Value error, ')}.",
            code="bad_setting",
            field=name,
        ) from None
    if half := find_half_login(vars(current)):
        present, missing = half
        sentence = f"MILLRACE_{present.upper()} is set and MILLRACE_{missing.upper()} is not: set both, or neither."
        raise BadInputError(sentence, code="bad_setting", field=missing)
    return current


def read_explicit(name: str) -> str | None:
    """The text that an environment variable or `.env` gives a setting; else None.

    For the stack, which must tell an address that somebody chose from one that it may choose itself: a default, or what
    the running stack says, is none.
    """
    return (DotEnv(Settings)() | Environment(Settings)()).get(name)


def require_address(name: str) -> str:
    """The address that a setting names, or that of the running stack of `home`; empty where the setting is none.

    Raises UnavailableError where neither is to be had: no command ever turns to whatever listens on a usual port.
    """
    if (address := getattr(settings(), name)) != OWN_STACK:
        return address or ""
    settings.cache_clear()  # it may have been started since
    current = settings()
    if (address := getattr(current, name)) != OWN_STACK:
        return address or ""
    if reason := explain_unreadable(current.home, ENDPOINTS):
        raise UnavailableError(reason, code="home_unreadable", field="home")
    raise UnavailableError(
        f"No stack runs in {current.home}. Start it with `millrace up`, or name another in MILLRACE_{name.upper()}.",
        code="stopped",
    )
