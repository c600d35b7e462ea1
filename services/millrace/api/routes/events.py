"""`/v1/<workload>/events`: events that change recommendations, written to Kafka before they are answered."""

import orjson

from millrace.api.documented import Declared, errors, request_body
from millrace.api.metrics import metrics
from millrace.api.posting import Events, Posted, event_schema
from millrace.messaging.outbox import Outbox
from millrace.settings import settings
from millrace.workloads import workloads
from millrace.workloads.base import Workload


def declare(declared: Declared, outbox: Outbox) -> None:
    for workload in workloads().values():
        if workload.recommenders:
            one = event_schema(workload)
            many = {"type": "array", "items": one, "minItems": 1, "maxItems": settings().api_list_limit}
            declared.post_later(
                f"/v1/{workload.name}/events",
                taking(workload, outbox),
                "An event, or several: all of a list are written, or none",
                workload.name,
                Posted,
                errors(401, 408, 413, 422, 503),
                request_body({"oneOf": [one, many]}),
            )


def taking(workload: Workload, outbox: Outbox):
    events, counted = Events(workload), metrics().events.labels(workload.name)

    async def take(content: bytes) -> bytes:
        found = events.messages(content)
        places = await outbox.send(workload.records_topic, [message for _, message in found])
        counted.inc(len(found))
        positions = [
            {"partition": partition, "offset": offset, "record_id": record_id}
            for (record_id, _), (partition, offset) in zip(found, places, strict=True)
        ]
        return orjson.dumps({"accepted": len(found), "positions": positions})

    return take
