"""The watch over the sinks: a failed one is restarted, and a record that the lake can't hold is taken out of its way.

A skip has several steps, each of which may be repeated: it is noted in the home before the first, and after a kill the
next look goes on with it. Only then is a sink ever stopped, so that none stays stopped.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time

import orjson

from millrace.errors import MillraceError
from millrace.lake import sink, tables
from millrace.lake.poison import NEIGHBOURS, RecordPosition, explain_refusal, find_obstacle, find_position
from millrace.messaging.dead_letters import find_positions, read_dead_letters, write_skipped
from millrace.messaging.producer import make_producer
from millrace.messaging.reader import Message, TopicPartition, TopicReader, open_reader
from millrace.records.contract import LakeColumn
from millrace.settings import settings
from millrace.workloads import load_workloads
from millrace.workloads.base import Workload

LIMIT_PERIOD_S = 3600
ADVICE = "docs/operations.md, `A poisoned message`, says what to do"


@dataclass(frozen=True)
class Skip:
    """A record that is being skipped, and why the lake can't hold it."""

    partition: int
    offset: int
    reason: str


def look_after_sinks(workloads: Iterable[Workload] | None = None) -> list[str]:
    """Look after the sinks of all workloads by default; a sentence for each that had failed.

    Raises UnavailableError when Connect is unavailable.
    """
    chosen = load_workloads().values() if workloads is None else workloads
    return [sentence for workload in chosen for sentence in look_after_sink(workload)]


def look_after_sink(workload: Workload) -> list[str]:
    """Finish a skip that was begun, begin one where the sink fails on a poisoned record, else restart what has failed.

    Raises UnavailableError when Connect is unavailable.
    """
    if skip := read_skip(workload.name):
        return [_finish(workload, skip)]
    failure = sink.find_failure(workload.name)
    if failure is None:
        return []
    positions = (position for trace in failure.traces if (position := find_position(trace)))
    position = next((position for position in positions if position.topic == workload.records_topic), None)
    if position is None:
        return [sink.restart_sink(failure)]
    try:
        outcome = plan_skip(workload, position)
    except MillraceError as error:
        outcome = f"it can't be examined now: {error.message}"
    if isinstance(outcome, str):
        return [f"{failure.connector} fails at {position}; {outcome}. {ADVICE}.", sink.restart_sink(failure)]
    write_skip(workload.name, outcome)
    return [_finish(workload, outcome)]


def plan_skip(workload: Workload, position: RecordPosition) -> Skip | str:
    """The skip of a record that a sink fails on, or why it must not be skipped. Changes nothing.

    Raises UnavailableError when Kafka, Connect or the catalog are unavailable.
    """
    columns = tables.read_columns(tables.load_table(workload.name))
    partition = TopicPartition(position.topic, position.partition)
    with open_reader() as reader:
        around = _read_around(reader, partition, position.offset)
        if position.offset not in around:
            return "Kafka no longer holds this record"
        refusals = {offset: explain_refusal(columns, message.value) for offset, message in around.items()}
        refusal = refusals.pop(position.offset)
        since = time() - LIMIT_PERIOD_S
        letters = read_dead_letters(position.topic)
        lately = sum(letter.is_skipped and letter.written_at > since for letter in letters)
        refused = [neighbour is not None for neighbour in refusals.values()]
        if obstacle := find_obstacle(refusal, refused, lately, settings().sink_skip_limit):
            return obstacle
        assert refusal is not None  # else there is an obstacle
        try:
            for _ in _read_rows_before(reader, workload, columns, partition, position.offset):
                pass
        except MillraceError as error:
            return f"the records before it can't be landed in the sink's place: {error.message}"
    return Skip(position.partition, position.offset, refusal)


def _finish(workload: Workload, skip: Skip) -> str:
    connector = sink.connector_name(workload.name)
    position = RecordPosition(workload.records_topic, skip.partition, skip.offset)
    try:
        landed = finish_skip(workload, skip)
    except MillraceError as error:
        return f"{connector} stays stopped until {position} can be skipped: {error.message}"
    before = f" {landed} records before it were landed in its place." if landed else ""
    return (
        f"{connector} could not land {position} ({skip.reason}): it is among the rejected rows, and the sink goes on "
        f"behind it.{before}"
    )


def finish_skip(workload: Workload, skip: Skip) -> int:
    """Move the record to the dead letters and the sink behind it; returns how many records were landed in its place.

    Can be called again after it was cut off anywhere. Raises UnavailableError; then the sink stays stopped.
    """
    from millrace.lake import landing  # brings Arrow, which a supervisor without poisoned records never needs

    landed, partition = 0, TopicPartition(workload.records_topic, skip.partition)
    if sink.stop_sink(workload.name):
        table = tables.load_table(workload.name)
        with open_reader() as reader:
            _write_dead_letter(reader, workload, partition, skip)
            start = _find_start(reader, workload, partition)
            if start <= skip.offset:
                columns = tables.read_columns(table)
                rows = _read_rows_before(reader, workload, columns, partition, skip.offset)
                landed = landing.land_rows(table, skip.partition, rows)
        if start <= skip.offset:
            sink.move_sink(workload.name, workload.records_topic, skip.partition, skip.offset + 1)
        sink.resume_sink(workload.name)
    _skip_file(workload.name).unlink(missing_ok=True)
    return landed


def _write_dead_letter(reader: TopicReader, workload: Workload, partition: TopicPartition, skip: Skip) -> None:
    """Write the record's dead letter, once; a record that Kafka has dropped meanwhile has none."""
    if (skip.partition, skip.offset) in find_positions(workload.records_topic):
        return
    message = next(reader.read({partition: skip.offset}, {partition: skip.offset + 1}), None)
    if message is not None:
        with closing(make_producer()) as producer:
            connector = sink.connector_name(workload.name)
            write_skipped(producer, workload.records_topic, message, connector, skip.reason)


def _find_start(reader: TopicReader, workload: Workload, partition: TopicPartition) -> int:
    """The offset from which the sink would read on: as it has committed, else the partition's beginning."""
    committed = sink.read_offsets(workload.name).get((partition.topic, partition.partition))
    return reader.begin_offsets([partition])[partition] if committed is None else committed


def _read_around(reader: TopicReader, partition: TopicPartition, offset: int) -> dict[int, Message]:
    """A record and its neighbours by offset, but for tombstones."""
    first = max(reader.begin_offsets([partition])[partition], offset - NEIGHBOURS)
    last = min(reader.end_offsets([partition])[partition], offset + NEIGHBOURS + 1)
    if not first <= offset < last:
        return {}
    messages = reader.read({partition: first}, {partition: last})
    return {message.offset: message for message in messages if message.value is not None}


def _read_rows_before(
    reader: TopicReader, workload: Workload, columns: Sequence[LakeColumn], partition: TopicPartition, end: int
) -> Iterator[dict[str, object]]:
    """What the sink has not committed before `end`, as rows. Raises BadInputError for what can't be a row."""
    from millrace.lake import landing

    rejected = find_positions(workload.records_topic)
    start = _find_start(reader, workload, partition)
    for message in reader.read({partition: start}, {partition: end}):
        if (message.partition, message.offset) not in rejected:
            row = landing.make_row(columns, partition.topic, message)
            if row is not None:
                yield row


def _skip_file(workload: str) -> Path:
    return settings().home / "skips" / f"{workload}.json"


def write_skip(workload: str, skip: Skip) -> None:
    """Note a skip, so that it is finished whatever is killed."""
    file = _skip_file(workload)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("wb") as output:
        output.write(orjson.dumps(asdict(skip)))
        output.flush()
        os.fsync(output.fileno())
    part.replace(file)


def read_skip(workload: str) -> Skip | None:
    """The skip of a workload that was begun and not finished."""
    try:
        return Skip(**orjson.loads(_skip_file(workload).read_bytes()))
    except FileNotFoundError:
        return None
