"""`/v1`: lists workloads and models, and answers from every model of every workload."""

import numpy as np
from fastapi import APIRouter, Response

from millrace.api.fast_path import Answer, FastRoutes
from millrace.api.parameters import PathName
from millrace.api.responses import error_responses, json_response, make_body_schema
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
from millrace.workloads.base import ClusterModel, Workload

DETAIL_FIELDS = {"created_at", "algorithm", "parameters", "data", "schema_hash", "code_version", "features"}


def summarise(served: LoadedModel, champion: Champion) -> dict[str, object]:
    """What the API tells of a served model and its promotion."""
    manifest = served.manifest
    return {
        "model": manifest.full_name,
        "version": manifest.version,
        "promoted_at": champion.promoted_at,
        "pin": champion.pin,
        "metrics": manifest.metrics,
    }


def describe(served: LoadedModel, champion: Champion) -> dict[str, object]:
    """A champion for people: its manifest and its centres in the fields' own units."""
    manifest = served.manifest.model_dump(mode="json", include=DETAIL_FIELDS)
    head: dict[str, object] = {**summarise(served, champion), "previous": champion.previous, **manifest}
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


def make_router(store: ModelStore) -> APIRouter:
    """The lists of workloads and models."""
    router = APIRouter(prefix="/v1", tags=["models"], responses=error_responses(401, 403))

    @router.get("/workloads", summary="All workloads", response_model=list[WorkloadSummary])
    async def list_workloads() -> Response:
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

    @router.get("/models", summary="All champions", response_model=list[ModelSummary])
    async def list_models() -> Response:
        served = sorted(store.all().items())
        return json_response([summarise(loaded, store.champion(*key)) for key, loaded in served])

    @router.get(
        "/models/{workload}/{model}",
        summary="Champion details",
        response_model=ModelDetail,
        responses=error_responses(404, 503),
    )
    async def show_model(workload: PathName, model: PathName) -> Response:
        known = {declared.name for declared in find(workload).models}
        if model not in known:
            allowed = ", ".join(sorted(known))
            sentence = f"model: {workload} has no model {model[:80]!r}; allowed: {allowed}."
            raise NotFoundError(sentence, field="model", allowed=allowed)
        return json_response(describe(store.get(workload, model, LoadedModel), store.champion(workload, model)))

    return router


def make_predict_router(store: ModelStore, workload: Workload, model: ClusterModel, fast: FastRoutes) -> APIRouter:
    """The path that asks a model of clusters."""
    router = APIRouter(prefix=f"/v1/{workload.name}/{model.name}", tags=[workload.name])
    body = RowReader(workload, model)
    answer = either_shape(
        make_single_answer(store, workload, model, body), make_list_answer(store, workload, model, body)
    )
    fast.add_post(
        router,
        "/predict",
        answer,
        summary=f"The {model.name} cluster of a row, or of each row of a list",
        response_model=ClusterAnswer | list[ClusterAnswerWithInput],
        body=make_body_schema(body.row, "object", "array"),
    )
    return router


def either_shape(single: Answer, many: Answer) -> Answer:
    """An object gives an object, a list a list."""
    return lambda content: many(content) if content.lstrip()[:1] == b"[" else single(content)
