"""`/v1/<workload>/events`: events that change recommendations, written to Kafka before the API responds."""

from collections.abc import Awaitable, Callable

import orjson
from fastapi import APIRouter

from millrace.api.event_parser import EventParser, EventsAccepted, make_event_schema
from millrace.api.fast_path import FastRoutes
from millrace.api.responses import describe_body
from millrace.api.work_queue import run_by_size
from millrace.messaging.outbox import Outbox
from millrace.serving.metrics import metrics
from millrace.settings import settings
from millrace.workloads.base import Workload


def make_router(workload: Workload, outbox: Outbox, fast: FastRoutes) -> APIRouter:
    """The path that takes a workload's events."""
    router = APIRouter(prefix=f"/v1/{workload.name}", tags=[workload.name])
    event = make_event_schema(workload)
    many = {"type": "array", "items": event, "minItems": 1, "maxItems": settings().api_list_limit}
    fast.add_post(
        router,
        "/events",
        make_handler(workload, outbox),
        status=202,
        summary="An event, or several: all of a list are written, or none",
        response_model=EventsAccepted,
        body=describe_body({"oneOf": [event, many]}),
    )
    return router


def make_handler(workload: Workload, outbox: Outbox) -> Callable[[bytes], Awaitable[bytes]]:
    """What turns a posted body into acknowledged events and the answer."""
    events, counted = EventParser(workload), metrics().events.labels(workload.name)

    async def take(content: bytes) -> bytes:
        messages = await run_by_size(events.parse, content)
        places = await outbox.send(workload.records_topic, [message for _, message in messages])
        counted.inc(len(messages))
        positions = [
            {"partition": partition, "offset": offset, "record_id": record_id}
            for (record_id, _), (partition, offset) in zip(messages, places, strict=True)
        ]
        return orjson.dumps({"accepted": len(messages), "positions": positions})

    return take
