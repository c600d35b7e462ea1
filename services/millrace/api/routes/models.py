"""`/v1`: what there is, and answers from every model of every workload."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from millrace.api.answers import ClusterAnswer, ClusterAnswerWithInput
from millrace.api.bodies import Body, request_model
from millrace.api.champions import Champions
from millrace.api.metrics import metrics
from millrace.api.routes.common import body_schema, documented, json
from millrace.api.served import Served
from millrace.errors import NotFound
from millrace.scoring.features import original
from millrace.workloads import workload, workloads
from millrace.workloads.base import ClusterModel, Workload


def described(served: Served) -> dict[str, Any]:
    """A champion for people: its manifest and its centres in the fields' own units."""
    manifest, kmeans = served.manifest, served.kmeans
    raw = kmeans.centres * kmeans.scale + kmeans.mean
    values = [original(spec["transform"], raw[:, column]) for column, spec in enumerate(served.features)]
    fields = [spec["field"] for spec in served.features]
    centres = [
        {"cluster": number, **label, "centre": dict(zip(fields, map(float, row), strict=True))}
        for number, (label, row) in enumerate(zip(served.labels, np.column_stack(values), strict=True))
    ]
    return {"model": manifest.full_name, "version": manifest.version, "clusters": centres} | {
        name: value
        for name, value in manifest.model_dump(mode="json").items()
        if name in ("created_at", "algorithm", "parameters", "metrics", "data", "code_version", "features")
    }


def router(champions: Champions) -> APIRouter:
    routes = APIRouter(prefix="/v1")

    @routes.get("/workloads", tags=["models"], summary="All workloads", responses=documented(401), response_model=None)
    async def list_workloads() -> Response:
        found = [
            {
                "workload": w.name,
                "description": w.description,
                "fields": list(w.fields),
                "models": [m.name for m in w.models],
            }
            for w in workloads().values()
        ]
        return json(found)

    @routes.get("/models", tags=["models"], summary="All champions", responses=documented(401), response_model=None)
    async def list_models() -> Response:
        found = [
            {
                "model": one.manifest.full_name,
                "version": one.manifest.version,
                "metrics": one.manifest.metrics,
            }
            for _, one in sorted(champions.all().items())
        ]
        return json(found)

    @routes.get(
        "/models/{workload_name}/{model_name}",
        tags=["models"],
        summary="A champion: centres, metrics, data and code version",
        responses=documented(401, 404, 422, 503),
        response_model=None,
    )
    async def show_model(workload_name: str, model_name: str) -> Response:
        found = workload(workload_name)
        if found.model(model_name) is None:
            allowed = ", ".join(model.name for model in found.models)
            raise NotFound(
                f"{workload_name} has no model {model_name!r}; allowed: {allowed}.",
                field="model",
                allowed=allowed,
            )
        return json(described(champions.get(workload_name, model_name)))

    for one in workloads().values():
        for model in one.models:
            add_predict(routes, champions, one, model)
    return routes


def add_predict(routes: APIRouter, champions: Champions, workload: Workload, model: ClusterModel) -> None:
    """`POST /v1/<workload>/<model>/predict`: an object gives an object, a list a list."""
    body = Body(request_model(workload, model))
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    async def predict(request: Request) -> Response:
        content = await request.body()
        served = champions.get(workload.name, model.name)
        if content.lstrip()[:1] == b"[":
            rows, given = body.many(content)
            answered.inc(len(rows))
            return json(served.answers(rows, given))
        row, _ = body.one(content)
        answered.inc()
        return json(served.answers([row])[0])

    routes.add_api_route(
        f"/{workload.name}/{model.name}/predict",
        predict,
        methods=["POST"],
        tags=[workload.name],
        name=f"predict_{workload.name}_{model.name}",
        summary=f"The {model.name} cluster of a row or of each row of a list",
        responses={
            200: {"model": ClusterAnswer | list[ClusterAnswerWithInput]},
            **documented(401, 413, 422, 503),
        },
        response_model=None,
        openapi_extra=body_schema(body.row, "object", "array"),
    )
