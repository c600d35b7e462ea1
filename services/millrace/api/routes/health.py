"""Liveness, readiness and metrics."""

import time

from fastapi import APIRouter, Request, Response

from millrace.api.champions import Champions
from millrace.api.metrics import metrics
from millrace.api.routes.common import documented, json
from millrace.errors import Unavailable


def readiness(champions: Champions) -> dict:
    """The detail of readiness. Raises Unavailable while there is nothing to answer from."""
    served = champions.all()
    if champions.polled_at is None and not served:
        faults = "; ".join(dict.fromkeys(champions.faults.values())) or "the registry was not reached yet"
        raise Unavailable(f"Not ready: {faults}", code="not_ready")
    if not served:
        raise Unavailable(
            "Not ready: no model has a champion yet; `millrace train courses` trains some.", code="not_ready"
        )
    return {
        "status": "ready",
        "models": {f"{w}/{m}": one.manifest.version for (w, m), one in sorted(served.items())},
        "polled_seconds_ago": round(time.time() - champions.polled_at, 3) if champions.polled_at else None,
        "faults": champions.faults,
    }


def router(champions: Champions) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/health/live", summary="The process runs", response_model=dict[str, str])
    async def live() -> Response:
        return json({"status": "live"})

    @routes.get("/health/ready", summary="Champions are loaded", responses=documented(503), response_model=None)
    async def ready(request: Request) -> Response:
        return json(readiness(champions))

    @routes.get("/metrics", summary="Prometheus metrics", response_model=None, responses=documented(401))
    async def exposition() -> Response:
        return Response(metrics().exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
