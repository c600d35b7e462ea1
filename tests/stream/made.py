"""Champions for the stream without a training, with what a manifest tells of one."""

from functools import lru_cache

import numpy as np

from millrace.pages.model import PageClusters
from millrace.registry.manifest import Manifest
from millrace.registry.registry import Registry
from millrace.workloads import find_workload
from millrace.workloads.base import PageModel, Workload
from tests.registry.made import clean_rows, made

K = 6


def columns(rows: list[dict]) -> dict[str, list]:
    return {name: [row.get(name) for row in rows] for name in ("url", "title", "keywords")}


@lru_cache
def arrays(seed: int) -> dict[str, np.ndarray]:
    return made("urls", "pages", seed, K)[1]


def promoted(seed: int) -> Manifest:
    """A published version that is the champion now."""
    registry, (draft, result) = Registry(), made("urls", "pages", seed, K)
    clusters, distances = PageClusters.load(result).assign(columns(clean_rows("urls", 400, 5)))
    shares = np.bincount(clusters, minlength=K) / len(clusters)
    profile = [{"words": [], "hosts": [], "examples": [], "share": float(share)} for share in shares]
    more = {
        "names": {"label": [f"version {seed}, cluster {number}" for number in range(K)]},
        "parameters": {"k": K, "profile": profile, "drift": None},
        "metrics": {"silhouette": 0.5, "inertia_per_row": float((distances**2).mean())},
    }
    manifest = registry.publish(draft.model_copy(update=more), result)
    registry.promote("urls", "pages", manifest.version)
    return manifest


def declared() -> tuple[Workload, PageModel]:
    workload = find_workload("urls")
    return workload, workload.pages[0]


class Sent:
    """What a broadcast looks like to a worker."""

    def __init__(self, value):
        self.value = value
