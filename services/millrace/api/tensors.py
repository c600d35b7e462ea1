"""Open Inference Protocol tensors: turns requests into columns and answers into output tensors."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import orjson
from pydantic import BaseModel, Field, StrictInt, StrictStr, TypeAdapter, ValidationError

from millrace.api.rows import Columns, RowReader, check_length, parse_json, to_bad_input
from millrace.api.tensor_data import Datatype, TensorSpec, read_binary, read_json, write_binary
from millrace.errors import BadInputError
from millrace.records.numbers import show
from millrace.serving.kinds.clusters import LoadedClusters

Name = Annotated[StrictStr, Field(min_length=1, max_length=200)]
JSON_LENGTH = "Inference-Header-Content-Length"
"""The header with the bytes of JSON before the binary tensors, in a request and in an answer."""
UNSUPPORTED_PARAMETERS = ("shared_memory_region", "classification")
"""Parameters of Triton's further extensions, which would mean another answer."""


class Tensor(BaseModel):
    """A named tensor of shape [rows], [rows, 1] or, for `input`, [rows, features]; `data` is flat or by row.

    Without `data` the parameter `binary_data_size` says how many bytes of it follow the JSON.
    """

    name: Name
    shape: list[StrictInt] = Field(min_length=1, max_length=2)
    datatype: Datatype
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class Output(BaseModel):
    """An output that is wanted; with the parameter `binary_data` its data follow the JSON of the answer."""

    name: Name
    parameters: dict[str, Any] | None = None


class InferenceRequest(BaseModel):
    """`id` is given back in the answer; `outputs` names the tensors that are wanted, left out it is all."""

    id: StrictStr | None = Field(None, max_length=1000)
    inputs: list[Tensor] = Field(min_length=1, max_length=64)
    outputs: list[Output] | None = Field(None, max_length=64)
    parameters: dict[str, Any] | None = None


class OutputTensor(BaseModel):
    """A tensor of an answer; `data` in row-major order."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferenceResponse(BaseModel):
    """The answer of the Open Inference Protocol."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


REQUEST_ADAPTER = TypeAdapter(InferenceRequest)


def split_body(content: bytes, json_length: bytes | None) -> tuple[bytes, memoryview]:
    """The JSON of a body and the bytes after it, by the header JSON_LENGTH. Raises BadInputError."""
    if json_length is None:
        return content, memoryview(b"")
    text = json_length.decode("latin-1")
    if not (text.isascii() and text.isdigit() and len(text) < 12 and 0 < int(text) <= len(content)):
        allowed = f"the bytes of JSON at the begin of the body, 1 to {len(content)}"
        raise BadInputError(f"{JSON_LENGTH}: {show(text)} is not usable; allowed: {allowed}.", field=JSON_LENGTH)
    return content[: int(text)], memoryview(content)[int(text) :]


def parse_request(content: bytes) -> InferenceRequest:
    """Raises BadInputError that names the part of the request which is not acceptable."""
    try:
        return REQUEST_ADAPTER.validate_python(parse_json(content))
    except ValidationError as error:
        raise to_bad_input(error) from None


def read_columns(request: InferenceRequest, body: RowReader, binary: memoryview) -> Columns:
    """The rows of a request by column, in whichever of the two forms. Raises BadInputError or TooLargeError."""
    fields = body.features
    numeric = all(column.limits for column in body.columns.values())
    forms = f"one tensor of shape [rows] for each of {', '.join(fields)}"
    if numeric:
        forms += f", or one FP64 tensor `input` of shape [rows, {len(fields)}]"
    rows = request.inputs[0].shape[0]
    check_length(rows)
    columns: dict[str, list[object]] = {}
    for tensor in request.inputs:
        whole = tensor.name == "input" and numeric and len(request.inputs) == 1
        width = len(fields) if whole else 1
        if not whole and (tensor.name not in fields or tensor.name in columns):
            raise _reject("inputs", f"tensor {show(tensor.name)}", forms)
        if rows < 1 or tensor.shape not in ([rows, width], [rows] if width == 1 else None):
            raise _reject(f"inputs.{tensor.name}", f"shape {show(tensor.shape)}", forms)
        form = TensorSpec(f"inputs.{tensor.name}", tensor.datatype, tensor.shape, fields if whole else ())
        data, binary = _read_data(tensor, form, binary)
        if whole:
            columns = {name: data[place::width] for place, name in enumerate(fields)}
        else:
            columns[tensor.name] = data
    if len(binary):
        raise _reject("body", f"{len(binary)} bytes after the last binary tensor", "as many as binary_data_size says")
    return body.read_columns(columns)


def _read_data(tensor: Tensor, form: TensorSpec, binary: memoryview) -> tuple[list[object], memoryview]:
    """The elements of a tensor, and what is left of the bytes after the JSON."""
    parameters = tensor.parameters or {}
    _check_supported(form.field, parameters)
    size = parameters.get("binary_data_size")
    if (size is None) == (tensor.data is None):
        what = "has neither data nor binary_data_size" if size is None else "has both data and binary_data_size"
        allowed = "data, or the parameter binary_data_size"
        raise BadInputError(f"{form.field}: {what}; allowed: {allowed}.", field=form.field, allowed=allowed)
    if tensor.data is not None:
        return read_json(form, tensor.data), binary
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(binary):
        allowed = f"a whole number of at most {len(binary)}, the bytes left after the JSON (header {JSON_LENGTH})"
        raise _reject(form.field, f"binary_data_size {show(size)}", allowed)
    return read_binary(form, binary[:size]), binary[size:]


def _check_supported(field: str, parameters: Mapping[str, object]) -> None:
    if unknown := next((name for name in UNSUPPORTED_PARAMETERS if name in parameters), None):
        raise _reject(field, f"parameter {unknown}", "data in the body, and outputs as the metadata say")


def _reject(field: str, what: str, allowed: str) -> BadInputError:
    return BadInputError(f"{field}: {what} is not usable; allowed: {allowed}.", field=field, allowed=allowed)


def output_types(served: LoadedClusters) -> dict[str, str]:
    """Datatype by output, in the protocol's words."""
    return {"cluster": "INT64", "distance": "FP64"} | dict.fromkeys(served.manifest.names, "BYTES")


def _select_outputs(request: InferenceRequest, kinds: dict[str, str]) -> dict[str, bool]:
    """The outputs that are wanted, in order, and whether each is to be binary.

    Raises BadInputError for an unknown one.
    """
    binary = _read_switch("parameters", request.parameters or {}, "binary_data_output", False)
    if not request.outputs:
        return dict.fromkeys(kinds, binary)
    wanted: dict[str, bool] = {}
    for output in request.outputs:
        if output.name not in kinds:
            raise _reject("outputs", show(output.name), ", ".join(kinds))
        parameters, field = output.parameters or {}, f"outputs.{output.name}"
        _check_supported(field, parameters)
        wanted[output.name] = _read_switch(field, parameters, "binary_data", binary)
    return wanted


def _read_switch(field: str, parameters: Mapping[str, object], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise _reject(field, f"{name} {show(value)}", "true, false")
    return value


def make_response(request: InferenceRequest, served: LoadedClusters, columns: Columns) -> tuple[bytes, int | None]:
    """The protocol's response, and how many bytes of it are JSON where tensors follow. Raises BadInputError."""
    kinds = output_types(served)
    wanted = _select_outputs(request, kinds)
    clusters, distances = served.assign(columns)
    values: dict[str, Any] = {"cluster": clusters, "distance": np.ascontiguousarray(distances)}
    outputs: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for name, binary in wanted.items():
        if name not in values:
            values[name] = [served.labels[cluster][name] for cluster in clusters.tolist()]
        head = {"name": name, "shape": [len(clusters)], "datatype": kinds[name]}
        if binary:
            tail.append(write_binary(kinds[name], values[name]))
            outputs.append({**head, "parameters": {"binary_data_size": len(tail[-1])}})
        else:
            outputs.append({**head, "data": values[name]})
    manifest = served.manifest
    document = {"model_name": f"{manifest.workload}.{manifest.model}", "model_version": manifest.version}
    document |= {} if request.id is None else {"id": request.id}
    json = orjson.dumps({**document, "outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join([json, *tail]), len(json)) if tail else (json, None)
