"""The workloads. One module each, found by its WORKLOAD; this is the only place that knows one.

A workload outside this package is found through the entry point group `millrace.workloads`, or by its module's name
in the setting `workload_modules`. The setting `workloads` leaves only some of them in use.
"""

import importlib
import pkgutil
from functools import lru_cache
from importlib.metadata import entry_points

from millrace.errors import BadInputError, NotFoundError
from millrace.settings import settings
from millrace.workloads.base import Model, Workload


@lru_cache(maxsize=1)
def load_workloads() -> dict[str, Workload]:
    """All workloads in use by name. Raises BadInputError when the settings choose one that there is not."""
    names = [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]
    names += [point.value for point in entry_points(group="millrace.workloads")]
    names += split_names(settings().workload_modules)
    modules = [importlib.import_module(name) for name in names]
    declared = [module.WORKLOAD for module in modules if hasattr(module, "WORKLOAD")]
    known = {workload.name: workload for workload in sorted(declared, key=lambda workload: workload.name)}
    chosen = split_names(settings().workloads) or known
    if unknown := [name for name in chosen if name not in known]:
        allowed = ", ".join(known)
        raise BadInputError(
            f"MILLRACE_WORKLOADS names {unknown[0]!r}; allowed: {allowed}.", field="workloads", allowed=allowed
        )
    return {name: workload for name, workload in known.items() if name in chosen}


def split_names(text: str) -> list[str]:
    """The names in a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def find_workload(name: str) -> Workload:
    """The workload of that name. Raises NotFoundError that lists the names there are."""
    try:
        return load_workloads()[name]
    except KeyError:
        allowed = ", ".join(load_workloads())
        raise NotFoundError(
            f"There is no workload {name!r}; allowed: {allowed}.", field="workload", allowed=allowed
        ) from None


def find_model(full_name: str) -> tuple[Workload, Model]:
    """The workload and the model of `courses/popularity`. Raises NotFoundError that lists the names there are."""
    name, _, short = full_name.partition("/")
    owner = find_workload(name)
    model = owner.model(short)
    if model is None:
        allowed = ", ".join(f"{name}/{model.name}" for model in owner.models)
        raise NotFoundError(f"There is no model {full_name!r}; allowed: {allowed}.", field="model", allowed=allowed)
    return owner, model
