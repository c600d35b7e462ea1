"""Liveness, readiness and metrics."""

import time
from typing import Any

from fastapi import Request, Response

from millrace.api.declarations import RouteRegistry, error_responses, json_response
from millrace.api.schemas import LivenessStatus, ReadinessStatus
from millrace.errors import UnavailableError
from millrace.serving.metrics import metrics
from millrace.serving.model_store import ModelStore


def check_readiness(champions: ModelStore) -> dict[str, Any]:
    """The detail of readiness. Raises UnavailableError while there is nothing to answer from."""
    served = champions.all()
    faults = "; ".join(dict.fromkeys(champions.faults.values()))
    if champions.polled_at is None:
        raise UnavailableError(f"Not ready: {faults or 'the registry was not reached yet.'}", code="not_ready")
    if not served:
        raise UnavailableError(
            f"Not ready: {faults or 'no model has a champion yet; `millrace train courses` trains some.'}",
            code="not_ready",
        )
    if not champions.live.ready:
        fault = champions.live.fault or "the deltas published so far are being read."
        raise UnavailableError(f"Not ready: {fault}", code="not_ready")
    return {
        "status": "ready",
        "models": {f"{workload}/{model}": one.manifest.version for (workload, model), one in sorted(served.items())},
        "polled_seconds_ago": round(time.time() - champions.polled_at, 3),
        "faults": champions.faults | ({"live": champions.live.fault} if champions.live.fault else {}),
        "live": champions.live.describe_all(),
    }


def declare(declared: RouteRegistry, champions: ModelStore) -> None:
    """Add the probes and the metrics."""

    async def live(request: Request) -> Response:
        return json_response({"status": "live"})

    async def ready(request: Request) -> Response:
        return json_response(check_readiness(champions))

    async def exposition(request: Request) -> Response:
        return Response(metrics().render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    declared.add_get("/health/live", live, "Liveness", "health", LivenessStatus, {}, is_open=True)
    declared.add_get("/health/ready", ready, "Readiness", "health", ReadinessStatus, error_responses(503), is_open=True)
    text = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format"}}
    declared.app.add_api_route(
        "/metrics",
        exposition,
        tags=["health"],
        summary="Prometheus metrics",
        operation_id="get_metrics",
        response_class=Response,
        responses={**text, **error_responses(401, 403)},
        response_model=None,
    )
