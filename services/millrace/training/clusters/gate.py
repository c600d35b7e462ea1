"""The gate: a new version serves only if it is not worse than the champion on the same held-out records."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from millrace.registry.champion import Champion
from millrace.registry.manifest import FeatureSpec, Manifest
from millrace.registry.registry import Registry, load_kmeans
from millrace.scoring.features import make_matrix
from millrace.scoring.kmeans import KMeans
from millrace.scoring.silhouette import mean_silhouette
from millrace.settings import settings


@dataclass(frozen=True)
class ClusterVerdict:
    """Mean silhouettes of both models on the same records, in the same space."""

    passed: bool
    candidate: float
    champion: float | None
    champion_version: str | None
    margin: float
    records: int

    @property
    def sentence(self) -> str:
        if self.champion is None:
            return f"passed: the first version, silhouette {self.candidate:.4f} on {self.records} held-out records"
        word = "passed" if self.passed else "refused"
        return (
            f"{word}: silhouette {self.candidate:.4f} against {self.champion:.4f} of {self.champion_version} on the "
            f"same {self.records} held-out records, margin {self.margin:g}"
        )


def judge_clusters(
    candidate: KMeans,
    features: list[FeatureSpec],
    columns: dict[str, list[Any]],
    champion: tuple[Manifest, KMeans] | None,
) -> ClusterVerdict:
    """Compare on held-out records given by column.

    Each model assigns the records with its own features and scaling. Both assignments are judged in one space that
    belongs to neither: the candidate's features, standardised over the held-out records themselves.
    """
    values = make_matrix([spec.model_dump() for spec in features], columns)
    usable = np.isfinite(values).all(axis=1)
    theirs = None
    if champion:
        theirs = make_matrix([spec.model_dump() for spec in champion[0].features], columns)
        usable &= np.isfinite(theirs).all(axis=1)
    values = values[usable]
    spread = values.std(axis=0) if len(values) else np.ones(values.shape[1])
    space = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1) if len(values) else values
    ours = mean_silhouette(space, candidate.assign(values)[0]) if len(values) else 0.0
    margin = settings().gate_margin
    if champion is None or theirs is None:
        return ClusterVerdict(True, ours, None, None, margin, len(values))
    other = mean_silhouette(space, champion[1].assign(theirs[usable])[0]) if len(values) else 0.0
    return ClusterVerdict(ours >= other - margin, ours, other, champion[0].version, margin, len(values))


def load_champion_model(
    registry: Registry, champion: Champion | None, workload: str, model: str
) -> tuple[Manifest, KMeans] | None:
    """(manifest, scorer) of a champion, or None where there is none."""
    if champion is None:
        return None
    manifest, arrays = registry.load(workload, model, champion.version)
    return manifest, load_kmeans(arrays)
