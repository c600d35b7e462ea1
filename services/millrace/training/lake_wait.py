"""Whether the lake holds anything to train on, asked of the catalog alone: Spark and its executors come later."""

import logging
from collections.abc import Sequence

from millrace.errors import NotFoundError, UnavailableError
from millrace.lake import tables
from millrace.lake.offset_ranges import count_offsets
from millrace.lake.progress import find_waiting, list_published
from millrace.runtime.retry import retry_unavailable
from millrace.workloads import find_workload
from millrace.workloads.base import Workload

log = logging.getLogger(__name__)
SETTLE_S = 300.0
"""Seconds that what was published before the first row landed may take to land as well."""


def newest_snapshot(workload: Workload) -> str:
    """The id of the table's newest snapshot. Raises UnavailableError when the table is empty or not there yet."""
    try:
        snapshot = tables.load_table(workload.name).current_snapshot()
    except NotFoundError as error:
        raise UnavailableError(error.message, code="no_table") from None
    if snapshot is None:
        raise UnavailableError(
            f"The lake holds no record of {workload.name} yet; `millrace ingest {workload.name} FILE` publishes some, "
            "and the sink lands them within its commit interval.",
            code="empty_lake",
        )
    return str(snapshot.snapshot_id)


def wait_for_rows(names: Sequence[str], seconds: float) -> None:
    """Return when one of the workloads has rows, and those that came while this waited have all landed.

    Raises UnavailableError after `seconds` without a row of any of them, at once with 0.
    """
    looks = 0

    def look() -> list[Workload]:
        nonlocal looks
        looks += 1
        ready, missing = [], []
        for workload in map(find_workload, names):
            try:
                newest_snapshot(workload)
                ready.append(workload)
            except UnavailableError as error:
                missing.append(error)
        if not ready:
            raise missing[0]
        return ready

    ready = retry_unavailable(look, seconds)
    for workload in ready if looks > 1 else ():
        _let_settle(workload)


def _let_settle(workload: Workload) -> None:
    """Let land what is published by now: a first training on a few rows of many would stay the only one."""
    published = list_published(workload)
    target = count_offsets(published)

    def look() -> None:
        if waiting := find_waiting(workload, published):
            landed = target - count_offsets(waiting)
            raise UnavailableError(f"{landed} of {target} records of {workload.name} have landed", code="lake_behind")

    try:
        retry_unavailable(look, SETTLE_S)
    except UnavailableError as error:
        log.info("%s after %.0f s; training on those", error.message, SETTLE_S)
