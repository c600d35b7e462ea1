"""`/v1/<workload>/events`: events that change recommendations, written to Kafka before they are answered."""

from collections.abc import Awaitable, Callable

import orjson
from starlette.concurrency import run_in_threadpool

from millrace.api.documented import Declared, errors, request_body
from millrace.api.metrics import metrics
from millrace.api.posting import Events, Posted, event_schema
from millrace.messaging.outbox import Outbox
from millrace.settings import settings
from millrace.workloads import workloads
from millrace.workloads.base import Workload

MANY = 50_000  # bytes from which on a list is checked beside the event loop


def declare(declared: Declared, outbox: Outbox) -> None:
    """Add the paths that take events."""
    for workload in workloads().values():
        if workload.recommenders:
            event = event_schema(workload)
            many = {"type": "array", "items": event, "minItems": 1, "maxItems": settings().api_list_limit}
            declared.post_later(
                f"/v1/{workload.name}/events",
                taking(workload, outbox),
                "An event, or several: all of a list are written, or none",
                workload.name,
                Posted,
                errors(401, 408, 413, 422, 503),
                request_body({"oneOf": [event, many]}),
            )


def taking(workload: Workload, outbox: Outbox) -> Callable[[bytes], Awaitable[bytes]]:
    """What turns a posted body into acknowledged events and the answer."""
    events, counted = Events(workload), metrics().events.labels(workload.name)

    async def take(content: bytes) -> bytes:
        beside = len(content) > MANY
        messages = await run_in_threadpool(events.messages, content) if beside else events.messages(content)
        places = await outbox.send(workload.records_topic, [message for _, message in messages])
        counted.inc(len(messages))
        positions = [
            {"partition": partition, "offset": offset, "record_id": record_id}
            for (record_id, _), (partition, offset) in zip(messages, places, strict=True)
        ]
        return orjson.dumps({"accepted": len(messages), "positions": positions})

    return take
