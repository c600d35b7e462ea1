"""A model in memory, and the answers it gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from millrace.registry.manifest import Manifest
from millrace.registry.registry import scorer
from millrace.scoring.features import matrix
from millrace.scoring.kmeans import KMeans


@dataclass(frozen=True)
class Served:
    """One loaded version. Immutable, so that a request which has begun on it also ends on it."""

    manifest: Manifest
    arrays: dict[str, np.ndarray]
    kmeans: KMeans = field(init=False)
    features: list[dict[str, str]] = field(init=False)
    labels: list[dict[str, str]] = field(init=False)
    """Per cluster, its names by answer column."""

    def __post_init__(self) -> None:
        manifest = self.manifest
        features = [{"field": spec.field, "transform": spec.transform} for spec in manifest.features]
        k = len(self.arrays["centres"])
        object.__setattr__(self, "kmeans", scorer(self.arrays))
        object.__setattr__(self, "features", features)
        object.__setattr__(
            self, "labels", [{column: names[i] for column, names in manifest.names.items()} for i in range(k)]
        )

    def assign(self, columns: dict[str, Sequence[Any]]) -> tuple[list[int], list[float]]:
        """Cluster numbers and distances of rows given by column."""
        clusters, distances = self.kmeans.assign(matrix(self.features, columns))
        return clusters.tolist(), distances.tolist()

    def answers(self, rows: Sequence[Any], inputs: Sequence[Any] | None = None) -> list[dict[str, Any]]:
        """One answer a checked row (an object with the features as attributes), with its input where given."""
        columns = {spec["field"]: [getattr(row, spec["field"]) for row in rows] for spec in self.features}
        clusters, distances = self.assign(columns)
        labels = self.labels
        tail = {"model": self.manifest.full_name, "version": self.manifest.version}
        if inputs is None:
            return [
                {"cluster": cluster, **labels[cluster], "distance": distance, **tail}
                for cluster, distance in zip(clusters, distances, strict=True)
            ]
        return [
            {"cluster": cluster, **labels[cluster], "distance": distance, **tail, "input": given}
            for cluster, distance, given in zip(clusters, distances, inputs, strict=True)
        ]
