"""The paths that callers of the prototypes know, from the workloads' own declarations."""

from fastapi import Request, Response

from millrace.api.answers import ClusterAnswer, ClusterAnswerWithInput, Index
from millrace.api.bodies import Body, parse
from millrace.api.champions import Champions
from millrace.api.documented import Declared, body_schema, errors, json
from millrace.api.fast import Answer
from millrace.api.metrics import metrics
from millrace.workloads import workloads
from millrace.workloads.base import ClusterModel, Workload

INDEX = {"message": "Millrace answers.", "docs": "/docs", "models": "/v1/models", "ready": "/health/ready"}


def declare(declared: Declared, champions: Champions) -> None:
    """Add the paths that callers of the prototype know."""
    greeting = next((dict(one.greeting) for one in workloads().values() if one.greeting), INDEX)

    async def index(request: Request) -> Response:
        return json(greeting)

    declared.get("/", index, "Says that the API runs", "kept", Index, errors(401))
    for workload in workloads().values():
        for endpoint in workload.endpoints:
            model = workload.model(endpoint.model)
            assert isinstance(model, ClusterModel), (
                f"{workload.name} declares {endpoint.path} for the unknown {endpoint.model}"
            )
            body = Body(workload, model, endpoint.optional)
            make = many_of if endpoint.many else one_of
            declared.post(
                endpoint.path,
                make(champions, workload, model, body),
                f"The {model.name} cluster of {'each row of a list' if endpoint.many else 'a row'}",
                workload.name,
                list[ClusterAnswerWithInput] if endpoint.many else ClusterAnswer,
                errors(401, 408, 413, 422, 503),
                body_schema(body.row, "array" if endpoint.many else "object"),
            )


def one_of(champions: Champions, workload: Workload, model: ClusterModel, body: Body) -> Answer:
    """An object in, an object out."""
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    def answer(content: bytes) -> bytes:
        columns = body.one(parse(content))
        reply = champions.get(workload.name, model.name).one(columns)
        answered.inc()
        return reply

    return answer


def many_of(champions: Champions, workload: Workload, model: ClusterModel, body: Body) -> Answer:
    """A list in, a list of the same length and order out."""
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    def answer(content: bytes) -> bytes:
        rows = parse(content)
        columns = body.many(rows)
        reply = champions.get(workload.name, model.name).many(columns, rows)
        answered.inc(len(rows))
        return reply

    return answer
