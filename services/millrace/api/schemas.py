"""Response schemas for the documentation."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from millrace.registry.champion import Pin
from millrace.registry.manifest import DataSpec, FeatureSpec


class ClusterAnswer(BaseModel):
    """The nearest cluster of a row; further name columns (`label_id`) where the workload has them."""

    model_config = ConfigDict(extra="allow")

    cluster: int = Field(ge=0, description="Number of the cluster, from the lowest to the highest.")
    label: str
    distance: float = Field(ge=0, description="Euclidean distance to the centre in standardised features.")
    model: str
    version: str


class ClusterAnswerWithInput(ClusterAnswer):
    """The cluster of a row of a list, with the row."""

    input: dict[str, Any] = Field(description="The row as it was sent.")


class WorkloadSummary(BaseModel):
    """A workload, the fields of its records and its models."""

    workload: str
    description: str
    fields: list[str]
    models: list[str]


class ModelSummary(BaseModel):
    """The champion of a model."""

    model: str
    version: str
    promoted_at: str
    pin: Pin | None = Field(description="Set while no training may replace it: since when, and by which command.")
    metrics: dict[str, float]


class Cluster(BaseModel):
    """A cluster's names and its centre in the fields' own units (`level` as 0..3, dates as days since 1970).

    A cluster of pages has no centre that people could read; `parameters.profile` has its words, hosts and examples.
    """

    model_config = ConfigDict(extra="allow")

    cluster: int
    label: str
    centre: dict[str, float]


class ModelDetail(ModelSummary):
    """A champion: what it was made from and what it tells apart."""

    previous: str | None = Field(description="The champion before, to which `millrace models rollback` goes back.")
    created_at: str
    algorithm: str
    features: list[FeatureSpec]
    parameters: dict[str, Any]
    data: DataSpec
    schema_hash: str
    code_version: str
    clusters: list[Cluster]


class LivenessStatus(BaseModel):
    """Whether the process runs."""

    status: str


class ReadinessStatus(LivenessStatus):
    """Each model's version, when the registry was last reached, what is wrong with any model, and what is followed."""

    models: dict[str, str]
    polled_seconds_ago: float
    faults: dict[str, str]
    live: dict[str, dict[str, Any]] = Field(description="By workload: `staleness` in seconds, offsets, version.")


class ServiceBanner(BaseModel):
    """Name, version and paths of the service."""

    model_config = ConfigDict(extra="allow")

    message: str
