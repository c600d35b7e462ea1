"""The Open Inference Protocol, version 2 (github.com/kserve/open-inference-protocol), over HTTP.

A model is named `<workload>.<model>`. Its inputs are one tensor per field, of any datatype that the field's own reading
rules accept, or, where all fields are numbers, one FP64 tensor `input` of shape [rows, features] in the manifest's
order. Outputs are `cluster` (INT64), `distance` (FP64) and one BYTES tensor per name column. Data are JSON, or bytes
after it as the protocol's binary tensor data extension has them; stock clients send and ask for the latter by default.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from millrace import __version__
from millrace.api import responses, tensors
from millrace.api.errors import InferenceError
from millrace.api.fast_path import JSON_HEADER, FastRoutes, Reply
from millrace.api.middleware.codings import compress
from millrace.api.parameters import PathName, RawBody
from millrace.api.responses import POST_ERRORS, Responses, describe_body, json_response
from millrace.api.routes.health import check_readiness
from millrace.api.rows import RowReader
from millrace.api.tensors import InferenceResponse
from millrace.api.work_queue import LOOKUPS, run_by_size
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
TAG = "open inference protocol"


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


@dataclass(frozen=True)
class RequestedModel:
    """The version that a path means."""

    name: str
    served: LoadedClusters
    body: RowReader


def error_responses(*statuses: int) -> Responses:
    """The `responses` for these statuses, in the protocol's form of an error."""
    return responses.error_responses(*statuses, model=InferenceError)


def make_metadata(served: LoadedClusters, body: RowReader, versions: list[str]) -> dict[str, object]:
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
    store: ModelStore, key: Key, body: RowReader, content: bytes, headers: Mapping[bytes, bytes]
) -> Reply:
    """`infer` by the champion. Raises UnavailableError where there is none."""
    return infer(store.get(*key, LoadedClusters), body, content, headers)


def make_router(store: ModelStore, fast: FastRoutes) -> APIRouter:
    """The server's and the models' metadata, and inference."""
    router = APIRouter(prefix="/v2", tags=[TAG], responses=error_responses(401, 403))
    models = {
        f"{workload.name}.{model.name}": ((workload.name, model.name), RowReader(workload, model))
        for workload in load_workloads().values()
        for model in workload.clusterings
    }

    def find_model(name: str) -> tuple[Key, RowReader]:
        """Raises NotFoundError."""
        if name not in models:
            allowed = ", ".join(models)
            raise NotFoundError(f"model_name: there is no {show(name)}; allowed: {allowed}.", field="model_name")
        return models[name]

    async def load_champion(model_name: PathName) -> RequestedModel:
        """The champion of the model of the path. Raises NotFoundError or UnavailableError."""
        key, body = find_model(model_name)
        return RequestedModel(model_name, store.get(*key, LoadedClusters), body)

    async def load_version(model_name: PathName, version: PathName) -> RequestedModel:
        """The version of the path. Raises NotFoundError or UnavailableError."""
        key, body = find_model(model_name)
        served = store.find_version(*key, version, LoadedClusters)  # what is in memory needs no place among look-ups
        served = served or await LOOKUPS.run(store.version, *key, version, LoadedClusters)
        return RequestedModel(model_name, served, body)

    @router.get("", summary="Server metadata", response_model=ServerMetadata)
    async def show_server() -> Response:
        return json_response({"name": "millrace", "version": __version__, "extensions": ["binary_tensor_data"]})

    for path, load in (
        ("/models/{model_name}", load_champion),
        ("/models/{model_name}/versions/{version}", load_version),
    ):
        add_model_routes(router, path, load, store)
    for name, (key, body) in models.items():
        answer = partial(infer_champion, store, key, body)
        fast.add_negotiated(
            f"{router.prefix}/models/{name}/infer", f"{router.prefix}/models/{{model_name}}/infer", answer
        )
    return router


def add_model_routes(
    router: APIRouter, path: str, load: Callable[..., Awaitable[RequestedModel]], store: ModelStore
) -> None:
    """Add what can be asked of a model; `load` is the dependency that reads which one from the path."""
    errors = error_responses(404, 503)

    @router.get(path, summary="Model metadata", response_model=ModelMetadata, responses=errors)
    async def show_model(requested: Annotated[RequestedModel, Depends(load)]) -> Response:
        manifest = requested.served.manifest
        versions = await LOOKUPS.run(store.versions, manifest.workload, manifest.model)
        return json_response(make_metadata(requested.served, requested.body, versions))

    @router.get(f"{path}/ready", summary="Model ready", response_model=ModelState, responses=errors)
    async def show_model_readiness(requested: Annotated[RequestedModel, Depends(load)]) -> Response:
        return json_response({"name": requested.name, "ready": True})

    @router.post(
        f"{path}/infer",
        summary="Inference",
        description=BINARY_DESCRIPTION,
        response_model=InferenceResponse,
        responses=error_responses(404, *POST_ERRORS),
        openapi_extra=describe_body({"$ref": "#/components/schemas/InferenceRequest"}),
    )
    async def run_inference(
        request: Request, content: RawBody, requested: Annotated[RequestedModel, Depends(load)]
    ) -> Response:
        headers = dict(request.scope["headers"])
        reply = await run_by_size(partial(infer, requested.served, requested.body, headers=headers), content)
        return Response(reply.body, headers={name.decode(): value.decode() for name, value in reply.headers})


def make_health_router(store: ModelStore) -> APIRouter:
    """The protocol's probes, which need no key."""
    router = APIRouter(prefix="/v2/health", tags=[TAG], responses=error_responses(403))

    @router.get("/live", summary="Server live", response_model=ServerState)
    async def show_liveness() -> Response:
        return json_response({"live": True})

    @router.get("/ready", summary="Server ready", response_model=ServerState, responses=error_responses(503))
    async def show_readiness() -> Response:
        check_readiness(store)
        return json_response({"ready": True})

    return router
