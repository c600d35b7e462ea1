"""Champions for the stream without a training: a real space of generated pages, and some of these as centres."""

from functools import lru_cache

import numpy as np

from millrace.pages.learning import learn
from millrace.pages.model import ALGORITHM, Pages
from millrace.registry.manifest import Manifest
from millrace.registry.registry import Registry
from millrace.workloads import workload
from millrace.workloads.base import PageModel, Workload
from tests.registry.made import clean_rows, draft

K = 6


def columns(rows: list[dict]) -> dict[str, list]:
    return {name: [row.get(name) for row in rows] for name in ("url", "title", "keywords")}


@lru_cache
def model(seed: int, k: int = K) -> Pages:
    """Centres are the means of the pages next to k random ones."""
    pages = columns(clean_rows("urls", 400, 5))
    space = learn(pages, 1)
    features = space.features(pages).astype(np.float64)
    chosen = features[np.random.default_rng(seed).choice(len(features), k, replace=False)]
    rough, _ = Pages(space, chosen, np.ones(k)).nearest(features.astype(np.float32))
    centres = np.stack([features[rough == number].mean(axis=0) for number in range(k)])
    return Pages(space, centres, np.bincount(rough, minlength=k).astype(np.float64))


def promoted(seed: int, k: int = K) -> Manifest:
    """A published version that is the champion now."""
    registry, found = Registry(), model(seed, k)
    pages = columns(clean_rows("urls", 400, 5))
    clusters, distances = found.assign(pages)
    shares = np.bincount(clusters, minlength=k) / len(clusters)
    profile = [{"words": [], "hosts": [], "examples": [], "share": float(share)} for share in shares]
    names = {"label": [f"version {seed}, cluster {number}" for number in range(k)]}
    made = draft("urls", "pages", ALGORITHM, {"k": k, "profile": profile, "drift": None}, names=names)
    metrics = {"silhouette": 0.5, "inertia_per_row": float((distances**2).mean())}
    manifest = registry.publish(made.model_copy(update={"metrics": metrics}), found.arrays())
    registry.promote("urls", "pages", manifest.version)
    return manifest


def declared() -> tuple[Workload, PageModel]:
    found = workload("urls")
    return found, found.pages[0]


class Sent:
    """What a broadcast looks like to a worker."""

    def __init__(self, value):
        self.value = value
