"""What a running platform needs before records can flow: buckets, topics, tables and sinks, each made once."""

from collections.abc import Callable, Iterable
from functools import partial

from millrace.lake.coordinators import ensure_coordinators
from millrace.lake.sink import ensure_sinks
from millrace.lake.tables import ensure_tables
from millrace.messaging.topics import ensure_topics
from millrace.registry.store import ObjectStore
from millrace.runtime.retry import retry_unavailable
from millrace.settings import settings
from millrace.workloads import load_workloads
from millrace.workloads.base import Workload


def ensure_buckets(workloads: Iterable[Workload]) -> list[str]:
    """Create the two buckets where they are missing; returns the names of the new ones."""
    wanted = (settings().lake_bucket, settings().models_bucket)
    return [bucket for bucket in wanted if ObjectStore(bucket).ensure_bucket()]


# In this order: a sink finds its topic and its table, and its coordinator where to begin.
STEPS: dict[str, Callable[[Iterable[Workload]], list[str]]] = {
    "buckets": ensure_buckets,
    "topics": ensure_topics,
    "tables": ensure_tables,
    "coordinators": ensure_coordinators,
    "sinks": ensure_sinks,
}


def provision(only: Iterable[str] = (), wait_s: float = 0.0) -> dict[str, list[str]]:
    """Make what is missing, of all kinds or `only` some, and return it by kind; a second call changes nothing.

    For each kind it waits `wait_s` seconds for the part that it needs, and says so. Raises UnavailableError after that.
    """
    chosen = set(only) or STEPS.keys()
    wanted = list(load_workloads().values())
    return {kind: retry_unavailable(partial(make, wanted), wait_s) for kind, make in STEPS.items() if kind in chosen}
