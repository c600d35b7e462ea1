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
from millrace.api import tensors
from millrace.api.bodies import Body
from millrace.api.champions import Champions, Key
from millrace.api.codings import pack
from millrace.api.documented import Declared, errors, json, request_body
from millrace.api.errors import InferenceError
from millrace.api.fast import JSON, NegotiatedRoute, Reply
from millrace.api.metrics import metrics
from millrace.api.routes.health import readiness
from millrace.api.served import Served
from millrace.api.tensors import InferenceResponse
from millrace.errors import NotFound
from millrace.records.numbers import shown
from millrace.workloads import workloads

OCTETS = (b"content-type", b"application/octet-stream")
BINARY = (
    "Tensors may also follow the JSON as bytes (binary tensor data extension): the header "
    f"{tensors.JSON_LENGTH} says where the JSON ends, binary_data_size of each input how many bytes are its own."
)
JSON_LENGTH = tensors.JSON_LENGTH.lower().encode()
PREFIX, TAG = "/v2/models/{model_name}", "open inference protocol"


class ServerMetadata(BaseModel):
    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerState(BaseModel):
    live: bool | None = None
    ready: bool | None = None


class ModelState(BaseModel):
    name: str
    ready: bool


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of OpenAPI, in the protocol's form of an error."""
    return errors(*statuses, model=InferenceError)


def metadata(served: Served, body: Body, versions: list[str]) -> dict[str, Any]:
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


def infer(served: Served, body: Body, content: bytes, headers: Mapping[bytes, bytes]) -> Reply:
    """JSON, and binary tensors where they are sent and asked for. Raises BadInput or TooLarge."""
    document, binary = tensors.split(content, headers.get(JSON_LENGTH))
    request = tensors.read(document)
    columns = tensors.columns_of(request, body, binary)
    answer, json_length = tensors.answer(request, served, columns)
    metrics().rows.labels(served.manifest.full_name).inc(len(next(iter(columns.values()))))
    more = [JSON] if json_length is None else [OCTETS, (JSON_LENGTH, b"%d" % json_length)]
    answer, coding = pack(answer, headers.get(b"accept-encoding", b""))
    if coding:
        more += [(b"content-encoding", coding), (b"vary", b"Accept-Encoding")]
    return Reply(answer, tuple(more))


def infer_champion(champions: Champions, key: Key, body: Body, content: bytes, headers: Mapping[bytes, bytes]) -> Reply:
    """`infer` by the champion. Raises Unavailable where there is none."""
    return infer(champions.get(*key), body, content, headers)


def declare(declared: Declared, champions: Champions) -> None:
    """Add the paths of the protocol."""
    known = {
        f"{workload_.name}.{model.name}": (workload_, model, Body(workload_, model))
        for workload_ in workloads().values()
        for model in workload_.clusterings
    }

    async def chosen(request: Request) -> tuple[Served, Body]:
        """The version that the path means. Raises NotFound or Unavailable."""
        name, version = request.path_params["model_name"], request.path_params.get("version")
        if name not in known:
            allowed = ", ".join(known)
            raise NotFound(f"model_name: there is no {shown(name)}; allowed: {allowed}.", field="model_name")
        workload, model, body = known[name]
        if version is None:
            return champions.get(workload.name, model.name), body
        return await run_in_threadpool(champions.version, workload.name, model.name, version), body

    async def server(request: Request) -> Response:
        return json({"name": "millrace", "version": __version__, "extensions": ["binary_tensor_data"]})

    async def live(request: Request) -> Response:
        return json({"live": True})

    async def ready(request: Request) -> Response:
        readiness(champions)
        return json({"ready": True})

    async def describe(request: Request) -> Response:
        served, body = await chosen(request)
        manifest = served.manifest
        versions = await run_in_threadpool(champions.versions, manifest.workload, manifest.model)
        return json(metadata(served, body, versions))

    async def model_ready(request: Request) -> Response:
        await chosen(request)
        return json({"name": request.path_params["model_name"], "ready": True})

    async def run(request: Request) -> Response:
        content = await request.body()
        served, body = await chosen(request)
        reply = infer(served, body, content, dict(request.scope["headers"]))
        return Response(reply.body, headers={name.decode(): value.decode() for name, value in reply.headers})

    declared.get("/v2", server, "Server metadata", TAG, ServerMetadata, refusals(401))
    declared.get("/v2/health/live", live, "Server live", TAG, ServerState, {}, is_open=True)
    declared.get("/v2/health/ready", ready, "Server ready", TAG, ServerState, refusals(503), is_open=True)
    schema = request_body({"$ref": "#/components/schemas/InferenceRequest"}) | {"description": BINARY}
    for path in (PREFIX, f"{PREFIX}/versions/{{version}}"):
        declared.get(path, describe, "Model metadata", TAG, ModelMetadata, refusals(401, 404, 503))
        declared.get(f"{path}/ready", model_ready, "Model ready", TAG, ModelState, refusals(401, 404, 503))
        declared.post_with(
            f"{path}/infer", run, "Inference", TAG, InferenceResponse, refusals(401, 404, 408, 413, 422, 503), schema
        )
    for name, (workload, model, body) in known.items():
        declared.fast[f"/v2/models/{name}/infer"] = NegotiatedRoute(
            f"{PREFIX}/infer", partial(infer_champion, champions, (workload.name, model.name), body)
        )
