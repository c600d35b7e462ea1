"""`/v1`: lists workloads and models, and answers from every model of every workload."""

from typing import Any

import numpy as np
from fastapi import Request, Response

from millrace.api.declarations import RouteRegistry, error_responses, json_response, make_body_schema
from millrace.api.fast_path import Answer
from millrace.api.routes.prototype import make_list_answer, make_single_answer
from millrace.api.rows import RowReader
from millrace.api.schemas import ClusterAnswer, ClusterAnswerWithInput, ModelDetail, ModelSummary, WorkloadSummary
from millrace.errors import NotFoundError
from millrace.registry.champion import Champion
from millrace.scoring.features import to_original_units
from millrace.serving.kinds.base import LoadedModel
from millrace.serving.kinds.clusters import LoadedClusters
from millrace.serving.kinds.page_clusters import LoadedPageClusters
from millrace.serving.model_store import ModelStore
from millrace.workloads import find_workload as find
from millrace.workloads import load_workloads

DETAIL_FIELDS = {"created_at", "algorithm", "parameters", "data", "schema_hash", "code_version", "features"}


def summarise(served: Any, champion: Champion) -> dict[str, Any]:
    """What the API tells of a served model and its promotion."""
    manifest = served.manifest
    return {
        "model": manifest.full_name,
        "version": manifest.version,
        "promoted_at": champion.promoted_at,
        "pin": champion.pin,
        "metrics": manifest.metrics,
    }


def describe(served: Any, champion: Champion) -> dict[str, Any]:
    """A champion for people: its manifest and its centres in the fields' own units."""
    manifest = served.manifest.model_dump(mode="json", include=DETAIL_FIELDS)
    head = {**summarise(served, champion), "previous": champion.previous, **manifest}
    if isinstance(served, LoadedPageClusters):
        clusters = [{"cluster": number, "label": label, "centre": {}} for number, label in enumerate(served.labels)]
        return head | {"clusters": clusters}
    if not isinstance(served, LoadedClusters):
        return head | {"clusters": []}
    kmeans = served.kmeans
    raw = kmeans.centres * kmeans.scale + kmeans.mean
    values = np.column_stack(
        [to_original_units(spec["transform"], raw[:, i]) for i, spec in enumerate(served.features)]
    )
    fields = [spec["field"] for spec in served.features]
    clusters = [
        {"cluster": number, **names, "centre": dict(zip(fields, centre, strict=True))}
        for number, (names, centre) in enumerate(zip(served.labels, values.tolist(), strict=True))
    ]
    return head | {"clusters": clusters}


def declare(declared: RouteRegistry, champions: ModelStore) -> None:
    """Add the paths of models."""

    async def list_workloads(request: Request) -> Response:
        return json_response(
            [
                {
                    "workload": workload.name,
                    "description": workload.description,
                    "fields": list(workload.fields),
                    "models": [model.name for model in workload.models],
                }
                for workload in load_workloads().values()
            ]
        )

    async def list_models(request: Request) -> Response:
        served = sorted(champions.all().items())
        return json_response([summarise(workload, champions.champion(*key)) for key, workload in served])

    async def show_model(request: Request) -> Response:
        name, model = request.path_params["workload"], request.path_params["model"]
        known = {workload.name for workload in find(name).models}
        if model not in known:
            allowed = ", ".join(sorted(known))
            sentence = f"model: {name} has no model {model[:80]!r}; allowed: {allowed}."
            raise NotFoundError(sentence, field="model", allowed=allowed)
        return json_response(describe(champions.get(name, model, LoadedModel), champions.champion(name, model)))

    tag = "models"
    declared.add_get("/v1/workloads", list_workloads, "All workloads", tag, list[WorkloadSummary], error_responses(401))
    declared.add_get("/v1/models", list_models, "All champions", tag, list[ModelSummary], error_responses(401))
    path = "/v1/models/{workload}/{model}"
    declared.add_get(path, show_model, "Champion details", tag, ModelDetail, error_responses(401, 404, 503))
    for workload in load_workloads().values():
        for model in workload.clusterings:
            body = RowReader(workload, model)
            declared.add_post(
                f"/v1/{workload.name}/{model.name}/predict",
                either_shape(
                    make_single_answer(champions, workload, model, body),
                    make_list_answer(champions, workload, model, body),
                ),
                f"The {model.name} cluster of a row, or of each row of a list",
                workload.name,
                ClusterAnswer | list[ClusterAnswerWithInput],
                error_responses(401, 408, 413, 422, 503),
                make_body_schema(body.row, "object", "array"),
            )


def either_shape(single: Answer, many: Answer) -> Answer:
    """An object gives an object, a list a list."""
    return lambda content: many(content) if content.lstrip()[:1] == b"[" else single(content)
