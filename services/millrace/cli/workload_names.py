"""Workload name arguments, for commands that default to all workloads."""

from typing import Annotated

import typer

from millrace.workloads import find_workload, load_workloads
from millrace.workloads.base import Workload

Names = Annotated[list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="All by default.")]


def select_workloads(names: list[str] | None) -> list[Workload]:
    """The named workloads, or all of them. Raises NotFoundError with what is allowed."""
    return [find_workload(name) for name in names] if names else list(load_workloads().values())
