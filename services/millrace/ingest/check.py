"""Checking: every raw row becomes an accepted record, a rejection or a duplicate, and is counted as one of them."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import orjson
from pydantic import ValidationError

from millrace.records.accepted_records import AcceptedRecord, make_message
from millrace.records.contract import RAW_LIMIT, Rejection, explain_error, list_time_fields
from millrace.records.credentials import remove_passwords
from millrace.records.duplicates import DuplicateFilter
from millrace.records.readers import RawRow, to_printable
from millrace.records.times import find_implausible
from millrace.workloads.base import Workload

NOT_UTF8 = re.compile("[\udc80-\udcff]")  # bytes of a file that were no UTF-8
ICONV_HINT = "`iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW` makes it so"


@dataclass
class IngestCounts:
    """What became of the rows read; `read` is the sum of the other three."""

    workload: str
    read: int = 0
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    repaired: int = 0
    """Rows, among the ones above, read as the workload's `mend` gives them, or without the password of a URL."""
    conflicts: int = 0
    """Identities that came with different watched values; the latest is what training reads."""
    source: dict[str, Any] = field(default_factory=dict)
    """Of the source as a whole, where it was read to its end: `ignored`, names that no field is read from; `lacking`,
    fields that it may leave out and does leave out; `renamed`, columns read as a field of another spelling; `changed`,
    whether it was written to meanwhile, so that the counts may be of neither its states."""

    def as_dict(self) -> dict[str, Any]:
        rows = {name: value for name, value in self.__dict__.items() if name != "source"}
        return {**rows, "rejected": dict(sorted(self.rejected.items())), **self.source}


class RecordChecker:
    """Checks the rows of one source.

    A record's id is a hash chained over all rows before it. So the same source read again gives the same ids, a
    source that has grown gives its old rows the same ids, and rows that merely look alike keep ids of their own.
    Training reads each id once, which is what makes an interrupted ingest safe to repeat.
    """

    def __init__(self, workload: Workload, source: str = "", seen: DuplicateFilter | None = None):
        self.workload = workload
        self.source = source
        self.counts = IngestCounts(workload.name)
        self._seen = DuplicateFilter() if seen is None else seen
        self._chain = bytes(16)
        self._identity, self._watched = _make_picker(workload.identity), _make_picker(workload.watched)
        self._time_fields = list_time_fields(workload.record)
        self._validate = workload.record.__pydantic_validator__.validate_python

    def check(self, rows: Iterable[RawRow]) -> Iterator[AcceptedRecord | Rejection | None]:
        """One outcome a row; None is a duplicate. A row that stands for several has an outcome for each."""
        for row in rows:
            inner = None
            if row.values is not None and not row.fault and not self.workload.fault(row.values):
                inner = self.workload.expand(row.values)
            if inner is None:
                yield self.check_row(row)
                continue
            for values in inner:
                yield self.check_row(RawRow(row.number, orjson.dumps(values, default=str).decode(), values))

    def check_row(self, row: RawRow) -> AcceptedRecord | Rejection | None:
        counts = self.counts
        counts.read += 1
        self._chain = hashlib.blake2b(
            row.raw.rstrip("\r\n").encode("utf-8", "surrogateescape"), digest_size=16, key=self._chain
        ).digest()
        record_id = self._chain.hex()
        had_password = False
        if "@" in row.raw or ("\\" in row.raw and "\\u0040" in row.raw):
            row, had_password = remove_passwords(row)
        if row.values is not None and (mended := self.workload.mend(row.values)) is not None:
            counts.repaired += 1
            row = row._replace(values=mended, fault=None)
        elif had_password:
            counts.repaired += 1
        if row.fault:
            return self._reject(row._replace(values=None), record_id, row.fault[0], None, row.fault[1])
        assert row.values is not None  # a row without a fault has values
        if fault := self.workload.fault(row.values):
            return self._reject(row, record_id, *fault)
        try:
            record = self._validate(row.values).__dict__
        except ValidationError as error:
            return self._reject(row, record_id, *explain_error(error))
        if self._time_fields and (implausible := find_implausible(record, self._time_fields)):
            return self._reject(row, record_id, implausible.code, implausible.field, implausible.message)
        content = orjson.dumps(record)
        watched_content = b"" if self.workload.events else content
        if self._seen.repeats(self._identity(record), watched_content, self._watched(record)):
            counts.duplicates += 1
            return None
        counts.conflicts = self._seen.conflicts
        counts.accepted += 1
        return make_message(record, self.workload.key, content, record_id)

    def _reject(self, row: RawRow, record_id: str, code: str, field: str | None, message: str) -> Rejection:
        self.counts.rejected[code] += 1
        if not row.raw.isascii() and NOT_UTF8.search(row.raw):
            message += ". The row is not UTF-8: if the file is of Windows, " + ICONV_HINT
        raw = to_printable(row.raw)[:RAW_LIMIT]
        return Rejection(code, field, message, raw, _to_printable(row.values), self.source, row.number, record_id)


def _make_picker(names: tuple[str, ...]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """A function from a record to the tuple of these fields; itemgetter gives one only for two names and more."""
    return itemgetter(*names) if len(names) > 1 else lambda record: tuple([record[name] for name in names])


def _to_printable(values: dict[str, Any] | None) -> dict[str, Any] | None:
    """Values that JSON can carry: bytes that were not UTF-8 are shown as escapes."""
    if values is None:
        return None
    return {
        to_printable(name): to_printable(value) if isinstance(value, str) else value for name, value in values.items()
    }
