"""Making the next version of page clusters: a first fit, a decayed update or a refit, in the champion's numbering."""

from dataclasses import dataclass

import numpy as np

from millrace.pages import update
from millrace.pages.matching import match_clusters
from millrace.pages.model import PageClusters
from millrace.registry.manifest import Manifest
from millrace.scoring.silhouette import mean_silhouette
from millrace.settings import settings
from millrace.training.page_clusters.frames import PageFrame, PageSample
from millrace.workloads.base import PageModel

STARTS_PER_K = 3
"""Fits for each k of a first version: its clusters are kept, so that a poor start would be too."""


@dataclass(frozen=True)
class PreviousModel:
    """The champion: what it is, and the names of its clusters."""

    manifest: Manifest
    pages: PageClusters

    @property
    def labels(self) -> list[str]:
        return self.manifest.names["label"]


@dataclass(frozen=True)
class PageCandidate:
    """A model in the champion's numbering; `same` says of each cluster whether it continues the champion's."""

    pages: PageClusters
    how: str
    same: np.ndarray
    silhouettes: dict[int, float]
    """k -> mean silhouette on the sample, for all k that were tried."""


def fit_first(frame: PageFrame, model: PageModel, sample: PageSample, before: PreviousModel | None) -> PageCandidate:
    """Spark's k-means for every k, STARTS times; the best silhouette on the sample wins.

    The largest cluster is number 0, but where a champion in another space has numbered them.
    """
    features = frame.space.features(sample)
    tried: dict[int, tuple[float, PageClusters]] = {}
    for centres in frame.fit_kmeans(model.k, range(model.seed, model.seed + STARTS_PER_K)):
        pages = PageClusters(frame.space, centres, np.ones(len(centres)))
        clusters, _ = pages.nearest(features)
        order = np.argsort(-np.bincount(clusters, minlength=len(centres)), kind="stable")
        quality, k = mean_silhouette(features.astype(np.float64), clusters), len(centres)
        if k not in tried or quality > tried[k][0]:
            tried[k] = quality, PageClusters(frame.space, centres[order], np.ones(k))
    k, (_, best) = max(tried.items(), key=lambda item: item[1][0])
    same, how = np.zeros(k, dtype=bool), "first fit"
    if before:
        best, same = renumber(best, before.pages.assign(sample)[0], before.pages.k, features)
        how = "relearned"
    weighted = PageClusters(frame.space, best.centres, frame.sum_clusters(best, only_new=False).counts)
    return PageCandidate(weighted, how, same, {one: value for one, (value, _) in tried.items()})


def renumber(
    pages: PageClusters, old: np.ndarray, k_before: int, features: np.ndarray
) -> tuple[PageClusters, np.ndarray]:
    """The model in the champion's numbering, and which clusters continue the champion's, by the pages of the sample.

    `old` are their clusters by the champion, (n,), and `features` theirs in the model's space.
    """
    numbers, same = match_clusters(old, pages.nearest(features)[0], pages.k, k_before)
    order = np.argsort(numbers)
    return PageClusters(pages.space, pages.centres[order], pages.weights[order]), same[order]


def fit_next(
    frame: PageFrame, model: PageModel, before: PreviousModel, sample: PageSample, judged_on: PageSample
) -> PageCandidate:
    """The champion's centres, moved by the pages that it has not read, or centres fitted anew.

    Those have the champion's k and numbers, and are taken where they part the held-out pages better by more than the
    gate's margin.
    """
    own, k = before.pages, before.pages.k
    features = frame.space.features(sample).astype(np.float64)
    old = own.nearest(features)[0]
    pulled = PageClusters(
        frame.space, *update.update_centres(own.centres, own.weights, frame.sum_clusters(own, only_new=True))
    )
    candidate, same = renumber(pulled, old, k, features)
    how = "update"
    (refit,) = frame.fit_kmeans((k,), (model.seed,))
    if len(refit) == k:
        other, also = renumber(PageClusters(frame.space, refit, np.ones(k)), old, k, features)
        space = judged_on.features(frame.space)
        gained = mean_silhouette(space, other.nearest(space)[0]) - mean_silhouette(space, candidate.nearest(space)[0])
        if gained > settings().gate_margin:
            candidate, same, how = (
                PageClusters(frame.space, other.centres, frame.sum_clusters(other, only_new=False).counts),
                also,
                "refit",
            )
    return PageCandidate(candidate, how, same, {k: mean_silhouette(features, candidate.nearest(features)[0])})
