"""The table of gaps: offsets that the records lack for a reason that Kafka will forget, written down beside the data.

A message that Connect could not read is explained by the topic of dead letters, which keeps it for 30 days; a gap that
somebody accepted, by nothing at all. What stands in `<workload>_gaps` explains both for ever. Rows are only added, so
that writers need not know of each other: the same offsets twice say the same.
"""

import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from millrace.errors import MillraceError
from millrace.lake import gaps_table_name
from millrace.lake.catalog import load_catalog, translate_errors
from millrace.lake.offset_ranges import OffsetRange, count_offsets, merge_ranges, subtract_ranges
from millrace.lake.tables import GAPS, ensure_table
from millrace.messaging import dead_letters
from millrace.runtime.logs import start_logging
from millrace.workloads import load_workloads
from millrace.workloads.base import Workload

log = logging.getLogger(__name__)
DEAD_LETTER, ACCEPTED = "dead_letter", "accepted"
"""Reasons: Connect could not read the message; somebody trained with --accept-gaps."""
GENERATION = 0  # of the topic whose offsets are meant


def read_gaps(workload: Workload) -> list[OffsetRange]:
    """All gaps that are written down; none where the table is not there yet. Raises UnavailableError."""
    with translate_errors():
        try:
            table = load_catalog().load_table(gaps_table_name(workload.name))
        except NoSuchTableError:
            return []
        return _read(table)


def _read(table: Table) -> list[OffsetRange]:
    rows = table.scan(selected_fields=("partition", "first", "last", "kafka_generation")).to_arrow()
    columns = [rows.column(name).to_pylist() for name in ("partition", "first", "last", "kafka_generation")]
    return merge_ranges(
        (partition, first, last)
        for partition, first, last, generation in zip(*columns, strict=True)
        if (generation or 0) == GENERATION
    )


def record_gaps(workload: Workload, gaps: Iterable[tuple[int, int, int]], reason: str) -> list[OffsetRange]:
    """Write down, in one commit, what of these gaps is not written down yet, and return that.

    Makes the table where an earlier release has made the others. Raises UnavailableError.
    """
    name = gaps_table_name(workload.name)
    if not (wanted := merge_ranges(gaps)):
        return []
    with translate_errors():
        ensure_table(name, GAPS)
        table = load_catalog().load_table(name)
        new = subtract_ranges(wanted, _read(table))
        if not new:
            return []
        since = datetime.now(UTC)
        rows = [(*gap, reason, since, GENERATION) for gap in new]
        columns = dict(zip((column.name for column in GAPS), zip(*rows, strict=True), strict=True))
        table.append(pa.Table.from_pydict(columns, schema=table.schema().as_arrow()))
    log.info(
        "%s: %s offsets that the lake lacks are written down in %s (%s), the first is %s",
        workload.name,
        count_offsets(new),
        name,
        reason,
        new[0],
    )
    return new


def read_dead_letters(workloads: Iterable[Workload]) -> dict[str, list[OffsetRange]]:
    """By workload's name, the offsets that Connect could not read and the dead letters still tell of.

    The topic is read once for all workloads. Raises UnavailableError.
    """
    names = {workload.records_topic.encode(): workload.name for workload in workloads}
    letters: dict[str, list[OffsetRange]] = {name: [] for name in names.values()}
    for letter in dead_letters.read_dead_letters(*map(bytes.decode, names)):
        ranges, partition, offset = letters[names[letter.topic]], letter.partition, letter.offset
        if ranges and (ranges[-1].partition, ranges[-1].last + 1) == (partition, offset):
            ranges[-1] = ranges[-1]._replace(last=offset)
        else:
            ranges.append(OffsetRange(partition, offset, offset))
    return {name: merge_ranges(ranges) for name, ranges in letters.items()}


def find_unexplained(
    workload: Workload, gaps: Iterable[tuple[int, int, int]], record: bool = False
) -> list[OffsetRange]:
    """What of these gaps is neither written down nor a dead letter. Kafka is asked only about what is not written down.

    With `record` the dead letters that are read are written down as well. Raises UnavailableError.
    """
    if not (left := merge_ranges(gaps)):
        return []
    if not (left := subtract_ranges(left, read_gaps(workload))):
        return []
    letters = read_dead_letters([workload])[workload.name]
    if record:
        record_gaps(workload, letters, DEAD_LETTER)
    return subtract_ranges(left, letters)


def record_dead_letters(workloads: Iterable[Workload]) -> list[str]:
    """Write down all dead letters there are, before Kafka forgets them; a sentence for each workload with new ones."""
    workloads, sentences = list(workloads), []
    letters = read_dead_letters(workloads)
    for workload in workloads:
        if new := record_gaps(workload, letters[workload.name], DEAD_LETTER):
            sentences.append(f"{workload.name}: {count_offsets(new)} dead letters were written down")
    return sentences


def main() -> int:
    """`python -m millrace.lake.gaps`: the dead letters of all workloads; returns the exit code of the error tree."""
    start_logging()
    try:
        record_dead_letters(load_workloads().values())
    except MillraceError as error:
        log.error("%s", error.message)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
