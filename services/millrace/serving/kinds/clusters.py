"""A model in memory, and the answers it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from millrace.errors import BadInputError
from millrace.registry.checks import load_kmeans
from millrace.scoring.features import make_matrix
from millrace.scoring.kmeans import KMeans
from millrace.serving.kinds.base import LoadedModel


@dataclass(frozen=True)
class LoadedClusters(LoadedModel):
    """One loaded k-means model over standardised features."""

    kmeans: KMeans = field(init=False)
    features: list[dict[str, str]] = field(init=False)
    labels: list[dict[str, str]] = field(init=False)
    """Per cluster, its names by answer column."""
    _heads: list[bytes] = field(init=False)
    _tail: bytes = field(init=False)

    def __post_init__(self) -> None:
        manifest = self.manifest
        features = [{"field": spec.field, "transform": spec.transform} for spec in manifest.features]
        k = len(self.arrays["centres"])
        labels = [{column: names[i] for column, names in manifest.names.items()} for i in range(k)]
        # An answer is `head of its cluster` distance `tail`: only the distance differs from row to row.
        heads = [orjson.dumps({"cluster": i, **label})[:-1] + b',"distance":' for i, label in enumerate(labels)]
        tail = b"," + orjson.dumps(manifest.version_fields)[1:]
        made = {
            "kmeans": load_kmeans(self.arrays),
            "features": features,
            "labels": labels,
            "_heads": heads,
            "_tail": tail,
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def assign(self, columns: Mapping[str, Sequence[Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Cluster numbers (n,) int64 and distances (n,) float64 of rows given by column."""
        return self.kmeans.assign(make_matrix(self.features, columns))

    def answer_one(self, columns: Mapping[str, Sequence[Any]]) -> bytes:
        """The JSON answer for columns of one value."""
        clusters, distances = self.assign(columns)
        return b"%b%b%b" % (self._heads[clusters[0]], orjson.dumps(float(distances[0])), self._tail)

    def answer_many(self, columns: Mapping[str, Sequence[Any]], rows: Sequence[Any]) -> bytes:
        """The JSON list of answers, each with its input as `rows`.

        Raises BadInputError for input too deep to repeat.
        """
        if not rows:
            return b"[]"
        clusters, distances = self.assign(columns)
        try:
            inputs = [orjson.dumps(row) for row in rows]
        except TypeError:
            raise BadInputError(
                "body: a row is nested too deeply; allowed: at most 200 levels.", field="body", allowed="200 levels"
            ) from None
        heads, tail = self._heads, self._tail[:-1] + b',"input":'
        shown = orjson.dumps(distances, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
        answers = [
            b"%b%b%b%b}" % (heads[cluster], distance, tail, row)
            for cluster, distance, row in zip(clusters.tolist(), shown, inputs, strict=True)
        ]
        return b"[%b]" % b",".join(answers)
