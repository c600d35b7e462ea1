"""The paths that callers of the prototypes know, from the workloads' own declarations."""

from fastapi import APIRouter, Request, Response

from millrace.api.answers import ClusterAnswer, ClusterAnswerWithInput
from millrace.api.bodies import Body, request_model
from millrace.api.champions import Champions
from millrace.api.metrics import metrics
from millrace.api.routes.common import body_schema, documented, json
from millrace.workloads import workloads
from millrace.workloads.base import Endpoint, Workload


def router(champions: Champions) -> APIRouter:
    routes = APIRouter()
    for workload in workloads().values():
        for endpoint in workload.endpoints:
            add(routes, champions, workload, endpoint)
    greeting = next((w.greeting for w in workloads().values() if w.greeting), {"message": "Millrace is running."})

    @routes.get("/", tags=["kept"], summary="Says that the API runs", response_model=dict[str, str])
    async def root() -> Response:
        return json(greeting)

    return routes


def add(routes: APIRouter, champions: Champions, workload: Workload, endpoint: Endpoint) -> None:
    """One kept path: an object in and out, or a list in and a list of the same length and order out."""
    model = workload.model(endpoint.model)
    assert model is not None, f"{workload.name} declares {endpoint.path} for the unknown model {endpoint.model}"
    body = Body(request_model(workload, model, endpoint.optional))
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    async def one(request: Request) -> Response:
        row, _ = body.one(await request.body())
        answer = champions.get(workload.name, model.name).answers([row])[0]
        answered.inc()
        return json(answer)

    async def many(request: Request) -> Response:
        rows, given = body.many(await request.body())
        answers = champions.get(workload.name, model.name).answers(rows, given)
        answered.inc(len(answers))
        return json(answers)

    shape = list[ClusterAnswerWithInput] if endpoint.many else ClusterAnswer
    routes.add_api_route(
        endpoint.path,
        many if endpoint.many else one,
        methods=["POST"],
        tags=[workload.name],
        name=endpoint.path.strip("/").replace("/", "_"),
        summary=f"The {endpoint.model} cluster of {'each row' if endpoint.many else 'a row'}",
        responses={200: {"model": shape}, **documented(401, 413, 422, 503)},
        response_model=None,
        openapi_extra=body_schema(body.row, "array" if endpoint.many else "object"),
    )
