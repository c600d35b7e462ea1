"""`/v1/<workload>/events`: events that change recommendations, written to Kafka before the API responds."""

from collections.abc import Awaitable, Callable

import orjson
from starlette.concurrency import run_in_threadpool

from millrace.api.declarations import RouteRegistry, describe_body, error_responses
from millrace.api.event_parser import EventParser, EventsAccepted, make_event_schema
from millrace.messaging.outbox import Outbox
from millrace.serving.metrics import metrics
from millrace.settings import settings
from millrace.workloads import load_workloads
from millrace.workloads.base import Workload

OFF_LOOP_BYTES = 50_000  # bytes from which on a list is checked beside the event loop


def declare(declared: RouteRegistry, outbox: Outbox) -> None:
    """Add the paths that take events."""
    for workload in load_workloads().values():
        if workload.recommenders:
            event = make_event_schema(workload)
            many = {"type": "array", "items": event, "minItems": 1, "maxItems": settings().api_list_limit}
            declared.add_async_post(
                f"/v1/{workload.name}/events",
                make_handler(workload, outbox),
                "An event, or several: all of a list are written, or none",
                workload.name,
                EventsAccepted,
                error_responses(401, 408, 413, 422, 503),
                describe_body({"oneOf": [event, many]}),
            )


def make_handler(workload: Workload, outbox: Outbox) -> Callable[[bytes], Awaitable[bytes]]:
    """What turns a posted body into acknowledged events and the answer."""
    events, counted = EventParser(workload), metrics().events.labels(workload.name)

    async def take(content: bytes) -> bytes:
        beside = len(content) > OFF_LOOP_BYTES
        messages = await run_in_threadpool(events.parse, content) if beside else events.parse(content)
        places = await outbox.send(workload.records_topic, [message for _, message in messages])
        counted.inc(len(messages))
        positions = [
            {"partition": partition, "offset": offset, "record_id": record_id}
            for (record_id, _), (partition, offset) in zip(messages, places, strict=True)
        ]
        return orjson.dumps({"accepted": len(messages), "positions": positions})

    return take
