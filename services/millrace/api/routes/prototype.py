"""The prototypes' paths, which existing callers know, from the workloads' own declarations."""

from fastapi import Request, Response

from millrace.api.declarations import RouteRegistry, error_responses, json_response, make_body_schema
from millrace.api.fast_path import Answer
from millrace.api.rows import RowReader, parse_json
from millrace.api.schemas import ClusterAnswer, ClusterAnswerWithInput, ServiceBanner
from millrace.serving.kinds.clusters import LoadedClusters
from millrace.serving.metrics import metrics
from millrace.serving.model_store import ModelStore
from millrace.workloads import load_workloads
from millrace.workloads.base import ClusterModel, Workload

BANNER = {"message": "Millrace answers.", "docs": "/docs", "models": "/v1/models", "ready": "/health/ready"}


def declare(declared: RouteRegistry, champions: ModelStore) -> None:
    """Add the paths that callers of the prototype know."""
    greeting = next((dict(one.greeting) for one in load_workloads().values() if one.greeting), BANNER)

    async def index(request: Request) -> Response:
        return json_response(greeting)

    declared.add_get("/", index, "Service banner", "kept", ServiceBanner, error_responses(401))
    for workload in load_workloads().values():
        for endpoint in workload.endpoints:
            model = workload.model(endpoint.model)
            assert isinstance(model, ClusterModel), (
                f"{workload.name} declares {endpoint.path} for the unknown {endpoint.model}"
            )
            body = RowReader(workload, model, endpoint.optional)
            make = make_list_answer if endpoint.many else make_single_answer
            declared.add_post(
                endpoint.path,
                make(champions, workload, model, body),
                f"The {model.name} cluster of {'each row of a list' if endpoint.many else 'a row'}",
                workload.name,
                list[ClusterAnswerWithInput] if endpoint.many else ClusterAnswer,
                error_responses(401, 408, 413, 422, 503),
                make_body_schema(body.row, "array" if endpoint.many else "object"),
            )


def make_single_answer(champions: ModelStore, workload: Workload, model: ClusterModel, body: RowReader) -> Answer:
    """An object in, an object out."""
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    def answer(content: bytes) -> bytes:
        columns = body.read_one(parse_json(content))
        reply = champions.get(workload.name, model.name, LoadedClusters).answer_one(columns)
        answered.inc()
        return reply

    return answer


def make_list_answer(champions: ModelStore, workload: Workload, model: ClusterModel, body: RowReader) -> Answer:
    """A list in, a list of the same length and order out."""
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")

    def answer(content: bytes) -> bytes:
        rows = parse_json(content)
        columns = body.read_many(rows)
        reply = champions.get(workload.name, model.name, LoadedClusters).answer_many(columns, rows)
        answered.inc(len(rows))
        return reply

    return answer
