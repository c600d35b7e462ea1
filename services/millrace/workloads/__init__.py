"""The workloads. One module each, found by its WORKLOAD; this is the only place that knows one.

A workload outside this package is found through the entry point group `millrace.workloads`, or by its module's name
in the environment variable MILLRACE_WORKLOADS (comma-separated).
"""

import importlib
import os
import pkgutil
from functools import lru_cache
from importlib.metadata import entry_points

from millrace.errors import NotFound
from millrace.workloads.base import Workload


@lru_cache(maxsize=1)
def workloads() -> dict[str, Workload]:
    """All workloads by name."""
    names = [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]
    names += [point.value for point in entry_points(group="millrace.workloads")]
    names += [name.strip() for name in os.environ.get("MILLRACE_WORKLOADS", "").split(",") if name.strip()]
    modules = [importlib.import_module(name) for name in names]
    found = [module.WORKLOAD for module in modules if hasattr(module, "WORKLOAD")]
    return {workload.name: workload for workload in sorted(found, key=lambda workload: workload.name)}


def workload(name: str) -> Workload:
    """The workload of that name. Raises NotFound that lists the names there are."""
    try:
        return workloads()[name]
    except KeyError:
        allowed = ", ".join(workloads())
        raise NotFound(
            f"There is no workload {name!r}; allowed: {allowed}.", field="workload", allowed=allowed
        ) from None
