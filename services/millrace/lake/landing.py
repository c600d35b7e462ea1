"""Records written to the lake in the sink's place: those that it had read, and not yet committed, when it failed.

The sink commits in batches. A batch that breaks off at a poisoned record takes the good ones before it along, and to
move the sink behind the poisoned record is to move it behind those too. They are landed here, each as the sink would.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from millrace.errors import BadInputError, UnavailableError
from millrace.lake.poison import KAFKA_NAMES, RecordPosition, read_object
from millrace.messaging.reader import Message
from millrace.records.contract import LakeColumn

BATCH_ROWS = 20_000
SNAPSHOT_PROPERTY = "millrace.landed"
"""Of the snapshots made here: `partition:first-last`. The sink's own offsets stay those of its last snapshot."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)
LONG_RANGE = range(-(2**63), 2**63)


def make_row(columns: Sequence[LakeColumn], topic: str, message: Message) -> dict[str, object] | None:
    """A message as a row of its table; None for a tombstone, which the sink passes over.

    Takes the form in which records are published, and no other: what Connect makes of a number in quotes is not
    imitated. Raises BadInputError with the position of a message of another form.
    """
    if message.value is None:
        return None
    position = RecordPosition(topic, message.partition, message.offset)
    record = read_object(message.value)
    if record is None:
        raise BadInputError(f"{position} is not a JSON object and not among the dead letters.", code="not_landable")
    row: dict[str, object] = {
        "kafka_topic": topic,
        "kafka_partition": message.partition,
        "kafka_offset": message.offset,
        "kafka_timestamp": EPOCH + timedelta(milliseconds=message.timestamp),
    }
    for column in columns:
        if column.name not in KAFKA_NAMES:
            try:
                row[column.name] = _convert(column, record.get(column.name))
            except ValueError as error:
                raise BadInputError(
                    f"{position}: {column.name} is not {column.type} as Millrace publishes it ({error}).",
                    code="not_landable",
                    field=column.name,
                ) from None
    return row


def _convert(column: LakeColumn, field: object) -> object:
    """The value of a column. Raises ValueError for one of another form."""
    if field is None:
        if column.required:
            raise ValueError("null")
        return None
    plain = isinstance(field, bool) == (column.type == "boolean")
    if column.type in ("string", "timestamptz") and isinstance(field, str):
        return field if column.type == "string" else _parse_time(field)
    if plain and column.type == "boolean":
        return field
    if plain and column.type == "long" and isinstance(field, int) and field in LONG_RANGE:
        return field
    if plain and column.type == "double" and isinstance(field, int | float):
        return float(field)
    raise ValueError(type(field).__name__)


def _parse_time(text: str) -> datetime:
    if not PLAIN_TIME.fullmatch(text):
        raise ValueError("another form of time")
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def land_rows(table: Table, partition: int, rows: Iterable[dict[str, object]]) -> int:
    """Append the rows of a Kafka partition that the table lacks, in order of their offsets; returns how many.

    Those that are there already were landed by a call that was cut off. Raises UnavailableError when object storage or
    catalog are unavailable, or another writer was faster: call again.
    """
    landed = 0
    try:
        for batch in _split(rows):
            first, last = batch[0]["kafka_offset"], batch[-1]["kafka_offset"]
            assert isinstance(first, int)
            assert isinstance(last, int)
            present = _list_offsets(table, partition, first, last)
            if lacking := [row for row in batch if row["kafka_offset"] not in present]:
                arrow = pa.Table.from_pylist(lacking, schema=table.schema().as_arrow())
                table.append(arrow, {SNAPSHOT_PROPERTY: f"{partition}:{first}-{last}"})
                landed += len(lacking)
    except (OSError, CommitFailedException) as error:
        raise UnavailableError(
            f"Rows can't be written to {'.'.join(table.name())} now: {error}", code="lake_unavailable"
        ) from error
    return landed


def _split(rows: Iterable[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    batch: list[dict[str, object]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _list_offsets(table: Table, partition: int, first: int, last: int) -> set[int]:
    """The offsets from `first` to `last` that the table holds of a Kafka partition."""
    here = f"kafka_partition = {partition} and kafka_offset >= {first} and kafka_offset <= {last}"
    rows = table.scan(row_filter=here, selected_fields=("kafka_offset",)).to_arrow()
    return set(rows.column("kafka_offset").to_pylist())
