"""The lake as the archive of a records topic: what Kafka has deleted since, in the order of its offsets."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
from pyiceberg.table import Table

from millrace.lake.catalog import translate_errors
from millrace.lake.gaps import read_gaps
from millrace.lake.offset_ranges import OffsetRange, find_ranges, merge_ranges, subtract_ranges
from millrace.lake.tables import load_table
from millrace.messaging.reader import Message
from millrace.records.contract import KAFKA_COLUMNS, list_columns
from millrace.records.times import to_micros
from millrace.workloads.base import Workload

BATCH_OFFSETS = 20_000  # offsets whose rows are in memory at the same time


class ArchiveGapError(Exception):
    """The lake lacks offsets too, for no reason that is known."""

    def __init__(self, gaps: list[OffsetRange]):
        super().__init__(f"the lake lacks {gaps[0]}" + (" and others" if len(gaps) > 1 else ""))
        self.gaps = gaps


class ArchiveBatch(NamedTuple):
    """The messages of a partition that follow the last batch's; the next one begins at offset `end`."""

    partition: int
    end: int
    messages: list[Message]


class RecordArchive:
    """Reads a workload's records from the lake as the topic gave them: each offset once, a partition after the other.

    A message is the record as JSON, with its offset and its timestamp; key and headers are not kept. Dead letters and
    accepted gaps (millrace.lake.gaps) are passed over: no training counts them either. Every read of the same offsets
    gives the same messages, whatever sinks and compactions have done meanwhile.
    """

    def __init__(self, workload: Workload):
        self.workload = workload
        columns = [column for column in list_columns(workload.record) if column.name not in dict(KAFKA_COLUMNS)]
        self._optional = {column.name: not column.required for column in columns}

    def read(self, wanted: Mapping[int, tuple[int, int]]) -> Iterator[ArchiveBatch]:
        """Batches of these offsets, {partition: (first, end)}; the end is not part of it.

        Takes memory for BATCH_OFFSETS rows and what they are decoded from. Raises ArchiveGapError before anything that
        lies behind a gap is given; NotFoundError without the table; UnavailableError where it can't be read.
        """
        known = read_gaps(self.workload)
        for partition, (first, end) in sorted(wanted.items()):
            for start in range(first, end, BATCH_OFFSETS):
                yield self._read_batch(OffsetRange(partition, start, min(start + BATCH_OFFSETS, end) - 1), known)

    def _read_batch(self, wanted: OffsetRange, known: list[OffsetRange]) -> ArchiveBatch:
        rows = self._read_rows(load_table(self.workload.name), wanted)
        present = find_ranges(rows.column("kafka_partition").to_numpy(), rows.column("kafka_offset").to_numpy())
        if gaps := subtract_ranges([wanted], merge_ranges([*present, *known])):
            raise ArchiveGapError(gaps)
        messages: list[Message] = []
        for row in rows.to_pylist():
            if not messages or messages[-1].offset != row["kafka_offset"]:
                messages.append(self._make_message(row))
        return ArchiveBatch(wanted.partition, wanted.last + 1, messages)

    def _read_rows(self, table: Table, wanted: OffsetRange) -> pa.Table:
        """Sorted by offset; what a sink has written twice stands there twice."""
        columns = (*self._optional, "kafka_partition", "kafka_offset", "kafka_timestamp")
        within = (
            f"kafka_partition = {wanted.partition} and kafka_offset >= {wanted.first} and kafka_offset <= {wanted.last}"
        )
        with translate_errors():
            return table.scan(within, selected_fields=columns).to_arrow().sort_by("kafka_offset")

    def _make_message(self, row: dict[str, Any]) -> Message:
        # Null where the contract says so; elsewhere the row is older than the column, and the contract has a default.
        record = {name: row[name] for name, optional in self._optional.items() if optional or row[name] is not None}
        timestamp = to_micros(row["kafka_timestamp"]) // 1000
        return Message(row["kafka_partition"], row["kafka_offset"], timestamp, None, orjson.dumps(record), {})
