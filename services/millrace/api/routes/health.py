"""Liveness, readiness and metrics."""

import time

from fastapi import APIRouter, Response

from millrace.api.responses import Responses, error_responses, json_response
from millrace.api.schemas import LivenessStatus, ReadinessStatus
from millrace.errors import UnavailableError
from millrace.serving.metrics import metrics
from millrace.serving.model_store import ModelStore


def check_readiness(store: ModelStore) -> dict[str, object]:
    """The detail of readiness. Raises UnavailableError while there is nothing to answer from."""
    served = store.all()
    faults = "; ".join(dict.fromkeys(store.faults.values()))
    if store.polled_at is None:
        raise UnavailableError(f"Not ready: {faults or 'the registry was not reached yet.'}", code="not_ready")
    if not served:
        raise UnavailableError(
            f"Not ready: {faults or 'no model has a champion yet; `millrace train courses` trains some.'}",
            code="not_ready",
        )
    if not store.live.ready:
        fault = store.live.fault or "the deltas published so far are being read."
        raise UnavailableError(f"Not ready: {fault}", code="not_ready")
    return {
        "status": "ready",
        "models": {f"{workload}/{model}": one.manifest.version for (workload, model), one in sorted(served.items())},
        "polled_seconds_ago": round(time.time() - store.polled_at, 3),
        "faults": store.faults | ({"live": store.live.fault} if store.live.fault else {}),
        "live": store.live.describe_all(),
    }


def make_router(store: ModelStore) -> APIRouter:
    """The probes, which need no key."""
    router = APIRouter(prefix="/health", tags=["health"], responses=error_responses(403))

    @router.get("/live", summary="Liveness", response_model=LivenessStatus)
    async def show_liveness() -> Response:
        return json_response({"status": "live"})

    @router.get("/ready", summary="Readiness", response_model=ReadinessStatus, responses=error_responses(503))
    async def show_readiness() -> Response:
        return json_response(check_readiness(store))

    return router


def make_metrics_router() -> APIRouter:
    """The metrics."""
    router = APIRouter(tags=["health"], responses=error_responses(401, 403))
    text: Responses = {
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format"}
    }

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response, responses=text)
    async def render_metrics() -> Response:
        return Response(metrics().render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
