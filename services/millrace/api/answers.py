"""The shapes of answers, for the documentation."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class ClusterAnswer(BaseModel):
    """The nearest cluster of a row; further name columns (`label_id`) where the workload has them."""

    model_config = ConfigDict(extra="allow")

    cluster: int
    """Number of the cluster, from the lowest to the highest."""
    label: str
    distance: float
    """Euclidean distance to the centre in standardised features."""
    model: str
    version: str


class ClusterAnswerWithInput(ClusterAnswer):
    input: dict[str, Any]
    """The row as it was sent."""
