"""How far the lake is behind Kafka, and waiting until it is not: by offsets, each once, never by counts of rows."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from millrace.errors import UnavailableError
from millrace.lake import sink, tables
from millrace.lake.gaps import find_unexplained
from millrace.lake.landed_offsets import LandedOffsets
from millrace.lake.offset_ranges import OffsetRange, count_offsets, merge_ranges, subtract_ranges
from millrace.messaging.reader import end_offsets
from millrace.workloads.base import Workload


@dataclass(frozen=True)
class LandingProgress:
    """What became of the messages that were published to a records topic."""

    published: int
    landed: int
    """Of those, in the lake."""
    explained: int
    """Of those, neither there nor to come: dead letters and accepted gaps."""
    lost: list[OffsetRange]
    """Of those, missing behind others that are there, for no reason that is known."""
    repeated: int
    """Rows of the lake that say the same as another one."""

    @property
    def on_their_way(self) -> int:
        return self.published - self.landed - self.explained - count_offsets(self.lost)

    def __str__(self) -> str:
        whole = self.landed == self.published
        parts = [f"all {self.landed} landed" if whole else f"{self.landed} of {self.published} landed"]
        if self.on_their_way:
            parts.append(f"{self.on_their_way} on their way")
        if self.explained:
            parts.append(f"{self.explained} known to be missing (dead letters, or accepted)")
        if self.lost:
            parts.append(f"{count_offsets(self.lost)} lost, the first gap is {self.lost[0]}")
        if self.repeated:
            parts.append(f"{self.repeated} rows repeat others and are not read")
        return ", ".join(parts)


def list_published(workload: Workload) -> list[OffsetRange]:
    """All offsets that the records topic ever gave: they start at 0 and have no gaps."""
    return merge_ranges((number, 0, end - 1) for number, end in end_offsets(workload.records_topic).items())


def count_published(workload: Workload) -> int:
    """Messages ever published to the records topic."""
    return count_offsets(list_published(workload))


def measure_landing(workload: Workload) -> LandingProgress:
    """What became of everything that is published by now. Raises NotFoundError, UnavailableError."""
    published = list_published(workload)
    landed = LandedOffsets(workload.name)
    landed.look()
    missing = subtract_ranges(published, landed.ranges)
    unexplained = find_unexplained(workload, missing)
    lasts = {gap.partition: gap.last for gap in landed.ranges}
    lost = [gap for gap in unexplained if gap.first < lasts.get(gap.partition, 0)]
    return LandingProgress(
        published=count_offsets(published),
        landed=count_offsets(published) - count_offsets(missing),
        explained=count_offsets(missing) - count_offsets(unexplained),
        lost=lost,
        repeated=landed.repeated,
    )


@lru_cache(maxsize=32)
def _make_landed_offsets(workload: str, _table: str) -> LandedOffsets:
    """What this process knows of a table already, so that who waits again reads new files only."""
    return LandedOffsets(workload)


def find_waiting(workload: Workload, wanted: list[OffsetRange]) -> list[OffsetRange]:
    """Of these offsets, those that are not in the lake and may still come. Raises NotFoundError, UnavailableError."""
    landed = _make_landed_offsets(workload.name, str(tables.load_table(workload.name).metadata.table_uuid))
    landed.look()
    return find_unexplained(workload, subtract_ranges(wanted, landed.ranges))


def wait_until_landed(
    workload: Workload, timeout: float = 180, progress: Callable[[int, int], None] = lambda landed, all_: None
) -> int:
    """Wait until the lake holds every offset that is published by now; returns the table's rows.

    Raises UnavailableError with the sink's state and cause when `timeout` seconds pass without one more row.
    """
    wanted = list_published(workload)
    target = count_offsets(wanted)
    best, since = -1, time.monotonic()
    while True:
        rows = tables.count_rows(workload.name)
        progress(min(rows, target), target)
        late = time.monotonic() - since > timeout
        # Fewer rows than offsets, and more of them each time: there is no need to look at each.
        if rows >= target or rows <= best or late:
            waiting = find_waiting(workload, wanted)
            if not waiting:
                progress(target, target)
                return tables.count_rows(workload.name)
            if late:
                raise UnavailableError(_describe_delay(workload, waiting, target, timeout), code="lake_behind")
        if rows > best:
            best, since = rows, time.monotonic()
        time.sleep(0.5)


def _describe_delay(workload: Workload, waiting: list[OffsetRange], target: int, seconds: float) -> str:
    status = sink.sink_status(workload.name)
    return (
        f"The lake holds {target - count_offsets(waiting)} of {target} records of {workload.name} and got none for "
        f"{seconds:g} s; the first that is missing is {waiting[0]}. {status['connector']} is {status['state']}, its "
        f"tasks: {status['tasks'] or 'none'}."
    )
