"""Making the next version of page clusters: a first fit, a decayed update or a refit, in the champion's numbering."""

from dataclasses import dataclass

import numpy as np

from millrace.pages import update
from millrace.pages.matching import match
from millrace.pages.model import Pages
from millrace.registry.manifest import Manifest
from millrace.scoring.silhouette import silhouette
from millrace.settings import settings
from millrace.training.paged import Frame, Sample
from millrace.workloads.base import PageModel

STARTS = 3
"""Fits for each k of a first version: its clusters are kept, so that a poor start would be too."""


@dataclass(frozen=True)
class Before:
    """The champion: what it is, and the names of its clusters."""

    manifest: Manifest
    pages: Pages

    @property
    def labels(self) -> list[str]:
        return self.manifest.names["label"]


@dataclass(frozen=True)
class Candidate:
    """A model in the champion's numbering; `same` says of each cluster whether it continues the champion's."""

    pages: Pages
    how: str
    same: np.ndarray
    silhouettes: dict[int, float]
    """k -> mean silhouette on the sample, for all k that were tried."""


def first(frame: Frame, model: PageModel, sample: Sample, before: Before | None) -> Candidate:
    """Spark's k-means for every k, STARTS times; the best silhouette on the sample wins.

    The largest cluster is number 0, but where a champion in another space has numbered them.
    """
    features = frame.space.features(sample)
    tried: dict[int, tuple[float, Pages]] = {}
    for centres in frame.kmeans(model.k, range(model.seed, model.seed + STARTS)):
        pages = Pages(frame.space, centres, np.ones(len(centres)))
        clusters, _ = pages.nearest(features)
        order = np.argsort(-np.bincount(clusters, minlength=len(centres)), kind="stable")
        quality, k = silhouette(features.astype(np.float64), clusters), len(centres)
        if k not in tried or quality > tried[k][0]:
            tried[k] = quality, Pages(frame.space, centres[order], np.ones(k))
    k, (_, best) = max(tried.items(), key=lambda item: item[1][0])
    same, how = np.zeros(k, dtype=bool), "first fit"
    if before:
        best, same = numbered(best, before.pages.assign(sample)[0], before.pages.k, features)
        how = "learnt anew"
    weighted = Pages(frame.space, best.centres, frame.sums(best, only_new=False).counts)
    return Candidate(weighted, how, same, {one: value for one, (value, _) in tried.items()})


def numbered(pages: Pages, old: np.ndarray, k_before: int, features: np.ndarray) -> tuple[Pages, np.ndarray]:
    """The model in the champion's numbering, and which clusters continue the champion's, by the pages of the sample.

    `old` are their clusters by the champion, (n,), and `features` theirs in the model's space.
    """
    numbers, same = match(old, pages.nearest(features)[0], pages.k, k_before)
    order = np.argsort(numbers)
    return Pages(pages.space, pages.centres[order], pages.weights[order]), same[order]


def later(frame: Frame, model: PageModel, before: Before, sample: Sample, judged_on: Sample) -> Candidate:
    """The champion's centres, moved by the pages that it has not read, or centres fitted anew.

    Those have the champion's k and numbers, and are taken where they part the held-out pages better by more than the
    gate's margin.
    """
    own, k = before.pages, before.pages.k
    features = frame.space.features(sample).astype(np.float64)
    old = own.nearest(features)[0]
    pulled = Pages(frame.space, *update.updated(own.centres, own.weights, frame.sums(own, only_new=True)))
    candidate, same = numbered(pulled, old, k, features)
    how = "update"
    (refit,) = frame.kmeans((k,), (model.seed,))
    if len(refit) == k:
        other, also = numbered(Pages(frame.space, refit, np.ones(k)), old, k, features)
        space = judged_on.features(frame.space)
        gained = silhouette(space, other.nearest(space)[0]) - silhouette(space, candidate.nearest(space)[0])
        if gained > settings().gate_margin:
            candidate, same, how = (
                Pages(frame.space, other.centres, frame.sums(other, only_new=False).counts),
                also,
                "refit",
            )
    return Candidate(candidate, how, same, {k: silhouette(features, candidate.nearest(features)[0])})
