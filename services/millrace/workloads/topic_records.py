"""Records of the records topic, as the lake has them."""

from typing import Any

import orjson
from pydantic import ValidationError

from millrace.records.times import parse_moment
from millrace.workloads.base import Workload


def read_record(workload: Workload, time: str, value: bytes | None) -> dict[str, Any] | None:
    """The checked record of a message, with a time too that no contract allows: a training counts such an event.

    `time` is the field that says when. None for a message that comes neither from an ingest nor from the API; the sink
    leaves it out too, so a training never sees it.
    """
    validate = workload.record.__pydantic_validator__.validate_python
    try:
        values = orjson.loads(value or b"")
        try:
            return validate(values).__dict__
        except ValidationError:
            if not isinstance(values, dict) or (moment := parse_moment(values.get(time))) is None:
                raise
            return validate(values | {time: None}).__dict__ | {time: moment}
    except (orjson.JSONDecodeError, ValidationError):
        return None
