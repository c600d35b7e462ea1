"""Which offsets the lake holds, by looking at the offsets themselves: rows may stand twice, and others be missing."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.table import DataScan, FileScanTask

from millrace.lake.catalog import translate_errors
from millrace.lake.offset_ranges import OffsetRange, count_offsets, find_ranges, merge_ranges
from millrace.lake.tables import load_table

POSITION = ("kafka_partition", "kafka_offset")
MAX_ROWS_AT_ONCE = 2_000_000  # rows of several files whose offsets are in memory at the same time, 12 bytes each


class LandedOffsets:
    """The offsets of a workload's records, each once; a second look reads only the files that are new since the first.

    Takes memory for the ranges and the names of the files, however many rows there are.
    """

    def __init__(self, workload: str):
        self.workload = workload
        self.ranges: list[OffsetRange] = []
        self.rows = 0
        """Rows that have an offset, those that stand twice included."""
        self._snapshot: int | None = None
        self._files: set[str] = set()

    @property
    def repeated(self) -> int:
        """Rows whose offset stands in another row too."""
        return self.rows - count_offsets(self.ranges)

    def look(self) -> None:
        """Take in the newest snapshot. Raises NotFoundError without the table, or UnavailableError."""
        table = load_table(self.workload)
        snapshot = table.metadata.current_snapshot_id
        if snapshot == self._snapshot:
            return
        with translate_errors():
            scan = table.scan(selected_fields=POSITION)
            tasks = {task.file.file_path: task for task in scan.plan_files()}
            # Where a compaction has replaced files, or rows are gone, only what is there now counts.
            going_on = self._files <= tasks.keys()
            ranges, rows = (self.ranges, self.rows) if going_on else ([], 0)
            new = [task for path, task in tasks.items() if not going_on or path not in self._files]
            for group in _group_by_rows(new):
                present, count = _read_positions(scan, group)
                ranges, rows = merge_ranges([*ranges, *present]), rows + count
        self.ranges, self.rows, self._files, self._snapshot = ranges, rows, set(tasks), snapshot


def _group_by_rows(tasks: Iterable[FileScanTask]) -> Iterator[list[FileScanTask]]:
    """Files that are read together: one, or several of MAX_ROWS_AT_ONCE rows at the most."""
    group: list[FileScanTask] = []
    rows = 0
    for task in tasks:
        if group and rows + task.file.record_count > MAX_ROWS_AT_ONCE:
            yield group
            group, rows = [], 0
        group.append(task)
        rows += task.file.record_count
    if group:
        yield group


def _read_positions(scan: DataScan, tasks: list[FileScanTask]) -> tuple[list[OffsetRange], int]:
    """The ranges of offsets of these files, and how many rows have one."""
    reader = ArrowScan(scan.table_metadata, scan.io, scan.projection(), AlwaysTrue(), scan.case_sensitive)
    ranges: list[OffsetRange] = []
    rows = 0
    for batch in reader.to_record_batches(tasks):
        # Columns that Kafka fills and the table does not insist on: a row of somebody else's may lack them.
        known = pa.Table.from_batches([batch]).drop_null()
        partitions, offsets = (known.column(name).to_numpy() for name in POSITION)
        rows += len(offsets)
        ranges += find_ranges(partitions, offsets)
    return ranges, rows
