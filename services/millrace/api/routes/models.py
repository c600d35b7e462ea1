"""`/v1`: what there is, and answers from every model of every workload."""

from typing import Any

import numpy as np
from fastapi import Request, Response

from millrace.api.answers import ClusterAnswer, ClusterAnswerWithInput, ModelDetail, ModelSummary, WorkloadSummary
from millrace.api.bodies import Body
from millrace.api.champions import Champions
from millrace.api.documented import Declared, body_schema, errors, json
from millrace.api.fast import Answer
from millrace.api.paged import Paged
from millrace.api.routes.kept import many_of, one_of
from millrace.api.served import Served
from millrace.errors import NotFound
from millrace.registry.champion import Champion
from millrace.scoring.features import original
from millrace.workloads import workload as find
from millrace.workloads import workloads

DETAIL = {"created_at", "algorithm", "parameters", "data", "schema_hash", "code_version", "features"}


def summary(served: Any, champion: Champion) -> dict[str, Any]:
    """What the API tells of a served model and its promotion."""
    manifest = served.manifest
    return {
        "model": manifest.full_name,
        "version": manifest.version,
        "promoted_at": champion.promoted_at,
        "metrics": manifest.metrics,
    }


def detail(served: Any, champion: Champion) -> dict[str, Any]:
    """A champion for people: its manifest and its centres in the fields' own units."""
    manifest = served.manifest.model_dump(mode="json", include=DETAIL)
    head = {**summary(served, champion), "previous": champion.previous, **manifest}
    if isinstance(served, Paged):
        clusters = [{"cluster": number, "label": label, "centre": {}} for number, label in enumerate(served.labels)]
        return head | {"clusters": clusters}
    if not isinstance(served, Served):
        return head | {"clusters": []}
    kmeans = served.kmeans
    raw = kmeans.centres * kmeans.scale + kmeans.mean
    values = np.column_stack([original(spec["transform"], raw[:, i]) for i, spec in enumerate(served.features)])
    fields = [spec["field"] for spec in served.features]
    clusters = [
        {"cluster": number, **names, "centre": dict(zip(fields, centre, strict=True))}
        for number, (names, centre) in enumerate(zip(served.labels, values.tolist(), strict=True))
    ]
    return head | {"clusters": clusters}


def declare(declared: Declared, champions: Champions) -> None:
    """Add the paths of models."""

    async def list_workloads(request: Request) -> Response:
        return json(
            [
                {
                    "workload": workload.name,
                    "description": workload.description,
                    "fields": list(workload.fields),
                    "models": [model.name for model in workload.models],
                }
                for workload in workloads().values()
            ]
        )

    async def list_models(request: Request) -> Response:
        served = sorted(champions.all().items())
        return json([summary(workload, champions.champion(*key)) for key, workload in served])

    async def show_model(request: Request) -> Response:
        name, model = request.path_params["workload"], request.path_params["model"]
        known = {workload.name for workload in find(name).models}
        if model not in known:
            allowed = ", ".join(sorted(known))
            sentence = f"model: {name} has no model {model[:80]!r}; allowed: {allowed}."
            raise NotFound(sentence, field="model", allowed=allowed)
        return json(detail(champions.get(name, model), champions.champion(name, model)))

    tag = "models"
    declared.get("/v1/workloads", list_workloads, "All workloads", tag, list[WorkloadSummary], errors(401))
    declared.get("/v1/models", list_models, "All champions", tag, list[ModelSummary], errors(401))
    path = "/v1/models/{workload}/{model}"
    declared.get(path, show_model, "A champion in full", tag, ModelDetail, errors(401, 404, 503))
    for workload in workloads().values():
        for model in workload.clusterings:
            body = Body(workload, model)
            declared.post(
                f"/v1/{workload.name}/{model.name}/predict",
                either(one_of(champions, workload, model, body), many_of(champions, workload, model, body)),
                f"The {model.name} cluster of a row, or of each row of a list",
                workload.name,
                ClusterAnswer | list[ClusterAnswerWithInput],
                errors(401, 408, 413, 422, 503),
                body_schema(body.row, "object", "array"),
            )


def either(single: Answer, many: Answer) -> Answer:
    """An object gives an object, a list a list."""
    return lambda content: many(content) if content.lstrip()[:1] == b"[" else single(content)
