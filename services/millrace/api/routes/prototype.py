"""The prototypes' paths, which existing callers know, from the workloads' own declarations."""

from fastapi import APIRouter, Response

from millrace.api.fast_path import Answer, FastRoutes
from millrace.api.responses import error_responses, json_response, make_body_schema
from millrace.api.rows import RowReader, parse_json
from millrace.api.schemas import ClusterAnswer, ClusterAnswerWithInput, ServiceBanner
from millrace.serving.kinds.clusters import LoadedClusters
from millrace.serving.metrics import metrics
from millrace.serving.model_store import ModelStore
from millrace.workloads import load_workloads
from millrace.workloads.base import ClusterModel, Endpoint, Workload

BANNER = {"message": "Millrace answers.", "docs": "/docs", "models": "/v1/models", "ready": "/health/ready"}


def make_router(store: ModelStore, fast: FastRoutes) -> APIRouter:
    """The banner, and every path that a workload declares."""
    router = APIRouter()
    greeting = next((dict(one.greeting) for one in load_workloads().values() if one.greeting), BANNER)

    @router.get(
        "/", tags=["kept"], summary="Service banner", response_model=ServiceBanner, responses=error_responses(401, 403)
    )
    async def show_banner() -> Response:
        return json_response(greeting)

    for workload in load_workloads().values():
        for endpoint in workload.endpoints:
            add_endpoint(router, store, workload, endpoint, fast)
    return router


def add_endpoint(
    router: APIRouter, store: ModelStore, workload: Workload, endpoint: Endpoint, fast: FastRoutes
) -> None:
    """Add a path that a workload declares for one of its models."""
    model = workload.model(endpoint.model)
    assert isinstance(model, ClusterModel), f"{workload.name} declares {endpoint.path} for the unknown {endpoint.model}"
    body = RowReader(workload, model, endpoint.optional)
    make = make_list_answer if endpoint.many else make_single_answer
    fast.add_post(
        router,
        endpoint.path,
        make(store, workload, model, body),
        tags=[workload.name],
        summary=f"The {model.name} cluster of {'each row of a list' if endpoint.many else 'a row'}",
        response_model=list[ClusterAnswerWithInput] if endpoint.many else ClusterAnswer,
        body=make_body_schema(body.row, "array" if endpoint.many else "object"),
    )


def make_single_answer(store: ModelStore, workload: Workload, model: ClusterModel, body: RowReader) -> Answer:
    """An object in, an object out."""
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    def answer(content: bytes) -> bytes:
        columns = body.read_one(parse_json(content))
        reply = store.get(workload.name, model.name, LoadedClusters).answer_one(columns)
        answered.inc()
        return reply

    return answer


def make_list_answer(store: ModelStore, workload: Workload, model: ClusterModel, body: RowReader) -> Answer:
    """A list in, a list of the same length and order out."""
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    def answer(content: bytes) -> bytes:
        rows = body.check_list(parse_json(content))
        columns = body.read_many(rows)
        reply = store.get(workload.name, model.name, LoadedClusters).answer_many(columns, rows)
        answered.inc(len(rows))
        return reply

    return answer
