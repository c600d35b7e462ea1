"""The Open Inference Protocol, version 2 (github.com/kserve/open-inference-protocol), over HTTP.

A model is named `<workload>.<model>`. Its inputs are either one FP64 tensor `input` of shape [rows, features] with the
features in the manifest's order, or one tensor per field, of any datatype that the field's own reading rules accept.
Outputs are `cluster` (INT64), `distance` (FP64) and one BYTES tensor per name column.
"""

from functools import lru_cache
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from millrace import __version__
from millrace.api.bodies import Body, parse, request_model
from millrace.api.champions import Champions
from millrace.api.metrics import metrics
from millrace.api.routes.common import NAMES, json
from millrace.api.routes.health import readiness
from millrace.api.served import Served
from millrace.errors import BadInput, NotFound, TooLarge
from millrace.records.contract import explain
from millrace.settings import settings
from millrace.workloads import workloads

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]


class Tensor(BaseModel):
    """A named tensor; `data` is flat or nested in row-major order."""

    name: str
    shape: list[int] = Field(min_length=1, max_length=2)
    datatype: Datatype
    data: list[Any]
    parameters: dict[str, Any] | None = None


class InferenceRequest(BaseModel):
    """`id` is given back in the answer; `outputs` may name the tensors that are wanted."""

    id: str | None = None
    inputs: list[Tensor] = Field(min_length=1, max_length=64)
    outputs: list[dict[str, Any]] | None = None
    parameters: dict[str, Any] | None = None


class InferenceError(BaseModel):
    """The protocol's own error body."""

    model_config = ConfigDict(extra="forbid")
    error: str


REQUEST = TypeAdapter(InferenceRequest)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": InferenceError, "description": NAMES[status]} for status in statuses}


def split(name: str) -> tuple[str, str]:
    """(workload, model) of a protocol name. Raises NotFound with the names there are."""
    known = [f"{one.name}.{model.name}" for one in workloads().values() for model in one.models]
    if name not in known:
        raise NotFound(f"There is no model {name[:80]!r}; allowed: {', '.join(known)}.", field="model_name")
    workload, model = name.split(".")
    return workload, model


def flat(tensor: Tensor, rows: int, columns: int) -> list[Any]:
    """The tensor's values in row-major order. Raises BadInput when shape and data disagree."""
    data: list[Any] = []
    for item in tensor.data:
        data.extend(item) if isinstance(item, list) else data.append(item)
    if len(data) != rows * columns:
        raise BadInput(
            f"inputs.{tensor.name}: shape {tensor.shape} needs {rows * columns} values, data has {len(data)}.",
            field=tensor.name,
        )
    return data


@lru_cache(maxsize=256)
def body_of(workload: str, model: str) -> Body:
    found = workloads()[workload]
    declared = found.model(model)
    assert declared is not None, "split() has checked the name"
    return Body(request_model(found, declared))


def rows_of(request: InferenceRequest, served: Served) -> list[dict[str, Any]]:
    """The rows of a request as objects by field, whichever of the two forms it has."""
    fields = [spec["field"] for spec in served.features]
    shape = request.inputs[0].shape
    rows = shape[0]
    if not 1 <= rows <= settings().api_list_limit:
        raise TooLarge(f"inputs.shape: {rows} rows; allowed: 1 to {settings().api_list_limit}.", field="shape")
    if [tensor.name for tensor in request.inputs] == ["input"]:
        if shape != [rows, len(fields)]:
            raise BadInput(
                f"inputs.input: shape {shape} is not usable; allowed: [rows, {len(fields)}] for {', '.join(fields)}.",
                field="input",
            )
        data = flat(request.inputs[0], rows, len(fields))
        return [
            dict(zip(fields, data[start : start + len(fields)], strict=True))
            for start in range(0, len(data), len(fields))
        ]
    columns = {}
    for tensor in request.inputs:
        if tensor.name not in fields or tensor.shape not in ([rows], [rows, 1]):
            raise BadInput(
                f"inputs.{tensor.name[:80]}: shape {tensor.shape} is not usable; allowed: one tensor of shape [{rows}] "
                f"for each of {', '.join(fields)}, or `input` of shape [rows, {len(fields)}].",
                field=tensor.name[:80],
            )
        columns[tensor.name] = flat(tensor, rows, 1)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def infer(served: Served, content: bytes) -> dict[str, Any]:
    """The answer of the protocol. Raises BadInput or TooLarge."""
    given = parse(content)
    try:
        request = REQUEST.validate_python(given)
    except ValidationError as error:
        code, field, message = explain(error)
        raise BadInput(message, code=code, field=field) from None
    manifest = served.manifest
    body = body_of(manifest.workload, manifest.model)
    rows = body.checked_rows(rows_of(request, served))
    answers = served.answers(rows)
    metrics().rows.labels(manifest.full_name).inc(len(answers))
    kinds = {"cluster": "INT64", "distance": "FP64"} | dict.fromkeys(manifest.names, "BYTES")
    wanted = {item.get("name") for item in request.outputs or ()} or set(kinds)
    if unknown := [name for name in wanted if name not in kinds]:
        raise BadInput(f"outputs: {unknown[0]!r} is not an output; allowed: {', '.join(kinds)}.", field="outputs")
    outputs = [
        {
            "name": name,
            "shape": [len(answers)],
            "datatype": kind,
            "data": [answer[name] for answer in answers],
        }
        for name, kind in kinds.items()
        if name in wanted
    ]
    found = {"model_name": f"{manifest.workload}.{manifest.model}", "model_version": manifest.version}
    return found | ({"id": request.id} if request.id is not None else {}) | {"outputs": outputs}


def metadata(served: Served, versions: list[str]) -> dict[str, Any]:
    manifest = served.manifest
    outputs = [("cluster", "INT64"), ("distance", "FP64"), *((name, "BYTES") for name in manifest.names)]
    return {
        "name": f"{manifest.workload}.{manifest.model}",
        "versions": versions,
        "platform": "millrace_kmeans",
        "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, len(manifest.features)]}],
        "outputs": [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in outputs],
        "parameters": {"fields": [spec.field for spec in manifest.features]},
    }


def router(champions: Champions) -> APIRouter:
    routes = APIRouter(prefix="/v2", tags=["open inference protocol"])

    def served(name: str, version: str | None) -> Served:
        workload, model = split(name)
        return champions.version(workload, model, version) if version else champions.get(workload, model)

    @routes.get("", summary="Server metadata", responses=errors(401), response_model=None)
    async def server() -> Response:
        return json({"name": "millrace", "version": __version__, "extensions": []})

    @routes.get("/health/live", summary="Server live", response_model=None)
    async def live() -> Response:
        return json({"live": True})

    @routes.get("/health/ready", summary="Server ready", responses=errors(503), response_model=None)
    async def ready() -> Response:
        readiness(champions)
        return json({"ready": True})

    def add(path: str, name: str) -> None:
        """The three paths of a model, with and without a version."""
        known = errors(401, 404, 422, 503)

        # Loading another version reads S3, so these are plain functions and run in a worker thread.
        @routes.get(path, name=f"{name}_metadata", summary="Model metadata", responses=known, response_model=None)
        def describe(model_name: str, version: str | None = None) -> Response:
            found = served(model_name, version)
            return json(metadata(found, champions.versions(found.manifest.workload, found.manifest.model)))

        @routes.get(f"{path}/ready", name=f"{name}_ready", summary="Model ready", responses=known, response_model=None)
        def model_ready(model_name: str, version: str | None = None) -> Response:
            return json({"name": model_name, "ready": served(model_name, version) is not None})

    add("/models/{model_name}", "model")
    add("/models/{model_name}/versions/{version}", "version")

    async def run(request: Request) -> Response:
        model_name, version = request.path_params["model_name"], request.path_params.get("version")
        content = await request.body()
        if version is None:
            return json(infer(served(model_name, None), content))
        from starlette.concurrency import run_in_threadpool

        return json(infer(await run_in_threadpool(served, model_name, version), content))

    schema = {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": InferenceRequest.model_json_schema()}},
        }
    }
    for path in ("/models/{model_name}/infer", "/models/{model_name}/versions/{version}/infer"):
        names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
        parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
        routes.add_api_route(
            path,
            run,
            methods=["POST"],
            name="infer_version" if "version" in names else "infer",
            summary="Inference",
            responses=errors(401, 404, 413, 422, 503),
            response_model=None,
            openapi_extra=schema | {"parameters": parameters},
        )
    return routes
