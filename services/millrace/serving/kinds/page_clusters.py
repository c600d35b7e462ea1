"""Clusters of pages in memory: the model, and what a training said of each cluster."""

from dataclasses import dataclass, field
from typing import Any

from millrace.pages.model import PageClusters
from millrace.serving.kinds.base import LoadedModel


@dataclass(frozen=True)
class LoadedPageClusters(LoadedModel):
    """One loaded model of pages."""

    pages: PageClusters = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pages", PageClusters.load(self.arrays))

    @property
    def labels(self) -> list[str]:
        return self.manifest.names["label"]

    @property
    def profile(self) -> list[dict[str, Any]]:
        """Per cluster its words, hosts, examples and share when it was trained; see millrace.pages.profile."""
        return self.manifest.parameters.get("profile") or [{} for _ in self.labels]
