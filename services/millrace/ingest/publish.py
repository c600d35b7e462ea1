"""Reading, checking and publishing one source."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

from millrace.errors import BadInputError
from millrace.ingest import receipts
from millrace.ingest.check import IngestCounts, RecordChecker
from millrace.ingest.pace import throttle
from millrace.messaging.producer import Producer, make_producer
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.contract import Rejection
from millrace.records.names import FieldNames, make_field_names
from millrace.records.readers import RawRow, Source, open_source, read_rows
from millrace.runtime.signals import StopSignal
from millrace.workloads.base import Workload

Progress = Callable[[IngestCounts, Source], None]
PROGRESS_ROWS = 1000  # rows between two calls of the progress


def validate_source(
    workload: Workload, path: str, limit: int | None = None, progress: Progress = lambda c, s: None
) -> IngestCounts:
    """Count what `ingest` would do, without Kafka. Raises NotFoundError or BadInputError for the file as a whole."""
    with open_source(path) as source:
        checker, names = RecordChecker(workload, source.name), make_field_names(workload.record, workload.reads)
        raw = itertools.islice(read_rows(source, required_fields(workload), names), limit)
        for _ in checker.check(_with_progress(raw, checker, source, progress)):
            pass
        _note_source(checker.counts, source, names)
    return checker.counts


def ingest_source(
    workload: Workload,
    path: str,
    *,
    limit: int | None = None,
    per_second: float | None = None,
    random_pauses: bool = False,
    again: bool = False,
    progress: Progress = lambda counts, source: None,
) -> dict[str, Any]:
    """Publish a source and return {"workload", "read", "accepted", "rejected", "duplicates", ...}.

    The source is opened once; what can be read only once, such as a pipe, is published without a receipt.
    `already` is true where a receipt shows that Kafka holds this very file: nothing is published then.
    `interrupted` is true after a signal: what was counted is acknowledged, the rest was not read.
    Raises UnavailableError when Kafka stays away; run again, nothing is lost or read twice by a training.
    """
    with open_source(path) as source:
        key = receipts.make_fingerprint(workload, source.digest(), limit) if source.is_rereadable else None
        receipt = receipts.find_receipt(key) if key and not again else None
        if receipt:
            return receipt | {"already": True}
        stop, started = StopSignal(), time.monotonic()
        checker, names = RecordChecker(workload, source.name), make_field_names(workload.record, workload.reads)
        client = make_producer()
        try:
            with stop.listen():
                raw: Iterator[RawRow] = itertools.islice(read_rows(source, required_fields(workload), names), limit)
                if per_second:
                    raw = throttle(raw, per_second, random_pauses)
                raw = itertools.takewhile(lambda _: stop.signal is None, raw)
                for outcome in checker.check(_with_progress(raw, checker, source, progress)):
                    publish_outcome(client, workload, outcome)
                client.flush()
                _note_source(checker.counts, source, names)
                seconds = round(time.monotonic() - started, 3)
                result = checker.counts.as_dict() | {"seconds": seconds, "offsets": offset_ranges(client, workload)}
                # Of a file that changed, the digest does not stand for what was published.
                if stop.signal is None and key and not checker.counts.source["changed"]:
                    receipts.write_receipt(client, key, result)
        finally:
            client.close()
    return result | {"already": False, "interrupted": stop.signal is not None}


def _note_source(counts: IngestCounts, source: Source, names: FieldNames) -> None:
    """Add what is known of the source as a whole to its counts.

    Raises BadInputError for one that holds nothing at all.
    """
    if counts.read == 0 and source.is_empty:
        raise BadInputError(
            f"{source.name} is empty; allowed: CSV with a header line, or JSON lines. Was the export finished?",
            code="empty_file",
            field="file",
        )
    counts.source |= {"ignored": names.ignored, "lacking": names.lacking, "renamed": names.renamed}
    counts.source |= {"changed": source.has_changed()}


def publish_outcome(client: Producer, workload: Workload, outcome: AcceptedRecord | Rejection | None) -> None:
    """Publish one outcome: a record to its topic, a rejection to its own, a duplicate nowhere."""
    if isinstance(outcome, AcceptedRecord):
        client.send(workload.records_topic, outcome.key, outcome.value)
    elif outcome is not None:
        client.send(workload.rejected_topic, outcome.record_id.encode(), outcome.as_json(workload.name))


def offset_ranges(client: Producer, workload: Workload) -> dict[str, list[int]]:
    """The offset range per partition that this run got for its records."""
    ranges = client.offsets.get(workload.records_topic, {})
    return {str(partition): list(ranges[partition]) for partition in sorted(ranges)}


def required_fields(workload: Workload) -> tuple[str, ...]:
    """The fields that a row must have."""
    fields = workload.record.model_fields
    return tuple(name for name, info in fields.items() if info.is_required())


def _with_progress(
    raw: Iterator[RawRow], checker: RecordChecker, source: Source, progress: Progress
) -> Iterator[RawRow]:
    for number, row in enumerate(raw):
        if number % PROGRESS_ROWS == 0:
            progress(checker.counts, source)
        yield row


def check_limit(limit: int | None) -> None:
    """Raises BadInputError for a limit below 1."""
    if limit is not None and limit < 1:
        raise BadInputError(f"--limit {limit} is not usable; allowed: 1 or more.", field="limit", allowed="1 or more")
