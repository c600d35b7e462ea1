"""Checks posted events, one or many, against the record contract and converts them to the messages ingest writes."""

from hashlib import blake2b

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from millrace.api.rows import check_length, parse_json, to_bad_input
from millrace.errors import BadInputError
from millrace.records.accepted_records import AcceptedRecord, make_message
from millrace.records.contract import list_time_fields
from millrace.records.identity import to_plain
from millrace.records.numbers import show
from millrace.records.times import find_implausible
from millrace.records.types import ID_LIMIT, parse_id
from millrace.workloads.base import Workload

EVENT_ID = "event_id"


class EventPosition(BaseModel):
    """Where an event stands in the records topic. The same event posted again has the same `record_id`."""

    partition: int
    offset: int
    record_id: str


class EventsAccepted(BaseModel):
    """What was accepted, in the order of the request."""

    accepted: int
    positions: list[EventPosition]


def make_event_schema(workload: Workload) -> dict[str, object]:
    """One event of a request, for the document: the record's fields, and an id."""
    schema = workload.record.model_json_schema(mode="validation")
    description = "Posted again under the same id, an event has the same record id."
    id_schema = {"anyOf": [{"type": "string", "minLength": 1, "maxLength": ID_LIMIT}, {"type": "integer"}]}
    return schema | {"properties": schema["properties"] | {EVENT_ID: id_schema | {"description": description}}}


class EventParser:
    """Reads the events of one workload."""

    def __init__(self, workload: Workload):
        self.workload = workload
        self._fields = ", ".join((*workload.fields, EVENT_ID))
        self._time_fields = list_time_fields(workload.record)
        self._validate = workload.record.__pydantic_validator__.validate_python

    def parse(self, content: bytes) -> list[tuple[str, AcceptedRecord]]:
        """Record id and message of each event.

        One that is not acceptable, and none is: raises BadInputError or TooLargeError.
        """
        request = parse_json(content)
        if not isinstance(request, list):
            return [self._parse_event(request, "")]
        if not request:
            allowed = "an event, or a list of one or more"
            raise BadInputError(f"body: is an empty list; allowed: {allowed}.", field="body", allowed=allowed)
        check_length(len(request))
        return [self._parse_event(row, f"[{index}]") for index, row in enumerate(request)]

    def _parse_event(self, row: object, where: str) -> tuple[str, AcceptedRecord]:
        if not isinstance(row, dict):
            allowed = f"a JSON object with {self._fields}"
            field = where or "body"
            raise BadInputError(
                f"{field}: {show(row)} is not usable; allowed: {allowed}.", field=field, allowed=allowed
            )
        if fault := self.workload.fault(row):
            code, field, message = fault
            raise at_position(BadInputError(message, code=code, field=field), where)
        try:
            record = self._validate(row).__dict__
        except ValidationError as error:
            raise at_position(to_bad_input(error), where) from None
        if fault := find_implausible(record, self._time_fields):
            refused = BadInputError(fault.message, code=fault.code, field=fault.field, allowed=fault.allowed)
            raise at_position(refused, where)
        event_id = row.get(EVENT_ID)
        identity = (
            [self._read_event_id(event_id, where)]
            if event_id is not None
            else [to_plain(record[name]) for name in self.workload.identity]
        )
        record_id = blake2b(orjson.dumps([self.workload.name, *identity]), digest_size=16).hexdigest()
        return record_id, make_message(record, self.workload.key, orjson.dumps(record), record_id)

    @staticmethod
    def _read_event_id(value: object, where: str) -> str:
        try:
            return parse_id(value)
        except PydanticCustomError as error:
            allowed = (error.context or {}).get("allowed")
            refused = BadInputError(f"{EVENT_ID}: {error.message()}", code=error.type, field=EVENT_ID, allowed=allowed)
            raise at_position(refused, where) from None


def at_position(error: BadInputError, where: str) -> BadInputError:
    """The same refusal with the place of the row in a list."""
    if not where:
        return error
    field = f"{where}.{error.field}"
    return BadInputError(f"{where}.{error.message}", code=error.code, field=field, allowed=error.allowed)
