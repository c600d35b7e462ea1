"""The Open Inference Protocol, version 2 (github.com/kserve/open-inference-protocol), over HTTP.

A model is named `<workload>.<model>`. Its inputs are one tensor per field, of any datatype that the field's own reading
rules accept, or, where all fields are numbers, one FP64 tensor `input` of shape [rows, features] in the manifest's
order. Outputs are `cluster` (INT64), `distance` (FP64) and one BYTES tensor per name column. Data are JSON, or bytes
after it as the protocol's binary tensor data extension has them; stock clients send and ask for the latter by default.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from millrace import __version__
from millrace.api import declarations, tensors
from millrace.api.declarations import RouteRegistry, describe_body, json_response
from millrace.api.errors import InferenceError
from millrace.api.fast_path import JSON_HEADER, NegotiatedRoute, Reply
from millrace.api.middleware.codings import compress
from millrace.api.routes.health import check_readiness
from millrace.api.rows import RowReader
from millrace.api.tensors import InferenceResponse
from millrace.errors import NotFoundError
from millrace.records.numbers import show
from millrace.serving.kinds.clusters import LoadedClusters
from millrace.serving.metrics import metrics
from millrace.serving.model_store import Key, ModelStore
from millrace.workloads import load_workloads

OCTET_HEADER = (b"content-type", b"application/octet-stream")
BINARY_DESCRIPTION = (
    "Tensors may also follow the JSON as bytes (binary tensor data extension): the header "
    f"{tensors.JSON_LENGTH} says where the JSON ends, binary_data_size of each input how many bytes are its own."
)
JSON_LENGTH = tensors.JSON_LENGTH.lower().encode()
PREFIX, TAG = "/v2/models/{model_name}", "open inference protocol"


class ServerMetadata(BaseModel):
    """The server and its extensions of the protocol."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """A tensor that a model takes or gives; -1 in a shape is any number of rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model's versions and tensors."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerState(BaseModel):
    """Whether the server runs, or is ready."""

    live: bool | None = None
    ready: bool | None = None


class ModelState(BaseModel):
    """Whether a model can answer."""

    name: str
    ready: bool


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of OpenAPI, in the protocol's form of an error."""
    return declarations.error_responses(*statuses, model=InferenceError)


def make_metadata(served: LoadedClusters, body: RowReader, versions: list[str]) -> dict[str, Any]:
    """The protocol's metadata: numbers as one tensor, or one tensor a column where some are text."""
    manifest = served.manifest
    if all(column.limits for column in body.columns.values()):
        inputs = [{"name": "input", "datatype": "FP64", "shape": [-1, len(body.features)]}]
    else:
        kinds = {name: "FP64" if column.limits else "BYTES" for name, column in body.columns.items()}
        inputs = [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in kinds.items()]
    return {
        "name": f"{manifest.workload}.{manifest.model}",
        "versions": versions,
        "platform": f"millrace_{manifest.algorithm}",
        "inputs": inputs,
        "outputs": [
            {"name": name, "datatype": kind, "shape": [-1]} for name, kind in tensors.output_types(served).items()
        ],
    }


def infer(served: LoadedClusters, body: RowReader, content: bytes, headers: Mapping[bytes, bytes]) -> Reply:
    """JSON, and binary tensors where they are sent and asked for. Raises BadInputError or TooLargeError."""
    document, binary = tensors.split_body(content, headers.get(JSON_LENGTH))
    request = tensors.parse_request(document)
    columns = tensors.read_columns(request, body, binary)
    answer, json_length = tensors.make_response(request, served, columns)
    metrics().rows.labels(served.manifest.full_name).inc(len(next(iter(columns.values()))))
    more = [JSON_HEADER] if json_length is None else [OCTET_HEADER, (JSON_LENGTH, b"%d" % json_length)]
    answer, coding = compress(answer, headers.get(b"accept-encoding", b""))
    if coding:
        more += [(b"content-encoding", coding), (b"vary", b"Accept-Encoding")]
    return Reply(answer, tuple(more))


def infer_champion(
    champions: ModelStore, key: Key, body: RowReader, content: bytes, headers: Mapping[bytes, bytes]
) -> Reply:
    """`infer` by the champion. Raises UnavailableError where there is none."""
    return infer(champions.get(*key, LoadedClusters), body, content, headers)


def declare(declared: RouteRegistry, champions: ModelStore) -> None:
    """Add the paths of the protocol."""
    known = {
        f"{declared_workload.name}.{model.name}": (declared_workload, model, RowReader(declared_workload, model))
        for declared_workload in load_workloads().values()
        for model in declared_workload.clusterings
    }

    async def choose_version(request: Request) -> tuple[LoadedClusters, RowReader]:
        """The version that the path means. Raises NotFoundError or UnavailableError."""
        name, version = request.path_params["model_name"], request.path_params.get("version")
        if name not in known:
            allowed = ", ".join(known)
            raise NotFoundError(f"model_name: there is no {show(name)}; allowed: {allowed}.", field="model_name")
        workload, model, body = known[name]
        if version is None:
            return champions.get(workload.name, model.name, LoadedClusters), body
        return await run_in_threadpool(champions.version, workload.name, model.name, version, LoadedClusters), body

    async def server(request: Request) -> Response:
        return json_response({"name": "millrace", "version": __version__, "extensions": ["binary_tensor_data"]})

    async def live(request: Request) -> Response:
        return json_response({"live": True})

    async def ready(request: Request) -> Response:
        check_readiness(champions)
        return json_response({"ready": True})

    async def describe(request: Request) -> Response:
        served, body = await choose_version(request)
        manifest = served.manifest
        versions = await run_in_threadpool(champions.versions, manifest.workload, manifest.model)
        return json_response(make_metadata(served, body, versions))

    async def model_ready(request: Request) -> Response:
        await choose_version(request)
        return json_response({"name": request.path_params["model_name"], "ready": True})

    async def run(request: Request) -> Response:
        content = await request.body()
        served, body = await choose_version(request)
        reply = infer(served, body, content, dict(request.scope["headers"]))
        return Response(reply.body, headers={name.decode(): value.decode() for name, value in reply.headers})

    declared.add_get("/v2", server, "Server metadata", TAG, ServerMetadata, error_responses(401))
    declared.add_get("/v2/health/live", live, "Server live", TAG, ServerState, {}, is_open=True)
    declared.add_get("/v2/health/ready", ready, "Server ready", TAG, ServerState, error_responses(503), is_open=True)
    schema = describe_body({"$ref": "#/components/schemas/InferenceRequest"}) | {"description": BINARY_DESCRIPTION}
    for path in (PREFIX, f"{PREFIX}/versions/{{version}}"):
        declared.add_get(path, describe, "Model metadata", TAG, ModelMetadata, error_responses(401, 404, 503))
        declared.add_get(f"{path}/ready", model_ready, "Model ready", TAG, ModelState, error_responses(401, 404, 503))
        declared.add_request_post(
            f"{path}/infer",
            run,
            "Inference",
            TAG,
            InferenceResponse,
            error_responses(401, 404, 408, 413, 422, 503),
            schema,
        )
    for name, (workload, model, body) in known.items():
        declared.fast[f"/v2/models/{name}/infer"] = NegotiatedRoute(
            f"{PREFIX}/infer", partial(infer_champion, champions, (workload.name, model.name), body)
        )
