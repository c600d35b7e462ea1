"""The tensors of the Open Inference Protocol: a request to columns, and answers to output tensors."""

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from millrace.api.bodies import Body, Columns, check_length, refusal
from millrace.api.served import Served
from millrace.errors import BadInput
from millrace.records.numbers import shown

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]  # fmt: skip
Name = Field(min_length=1, max_length=200)


class Tensor(BaseModel):
    """A named tensor of shape [rows], [rows, 1] or, for `input`, [rows, features]; `data` is flat or by row."""

    name: str = Name
    shape: list[int] = Field(min_length=1, max_length=2)
    datatype: Datatype
    data: list[Any]
    parameters: dict[str, Any] | None = None


class Output(BaseModel):
    name: str = Name
    parameters: dict[str, Any] | None = None


class InferenceRequest(BaseModel):
    """`id` is given back in the answer; `outputs` names the tensors that are wanted, left out it is all."""

    id: str | None = Field(None, max_length=1000)
    inputs: list[Tensor] = Field(min_length=1, max_length=64)
    outputs: list[Output] | None = None
    parameters: dict[str, Any] | None = None


class OutputTensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferenceResponse(BaseModel):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class InferenceError(BaseModel):
    """The protocol's own error body."""

    model_config = ConfigDict(extra="forbid")
    error: str


REQUEST = TypeAdapter(InferenceRequest)


def read(given: object) -> InferenceRequest:
    """Raises BadInput that names the part of the request which is not acceptable."""
    try:
        return REQUEST.validate_python(given)
    except ValidationError as error:
        raise refusal(error) from None


def columns_of(request: InferenceRequest, body: Body) -> Columns:
    """The rows of a request by column, in whichever of the two forms. Raises BadInput or TooLarge."""
    fields = body.features
    numeric = all(column.limits for column in body.columns.values())
    forms = f"one tensor of shape [rows] for each of {', '.join(fields)}"
    if numeric:
        forms += f", or one FP64 tensor `input` of shape [rows, {len(fields)}]"
    rows = request.inputs[0].shape[0]
    check_length(rows)
    columns: dict[str, list[Any]] = {}
    for tensor in request.inputs:
        whole = tensor.name == "input" and numeric and len(request.inputs) == 1
        width = len(fields) if whole else 1
        if not whole and (tensor.name not in fields or tensor.name in columns):
            raise _refused("inputs", f"tensor {shown(tensor.name)}", forms)
        if rows < 1 or tensor.shape not in ([rows, width], [rows] if width == 1 else None):
            raise _refused(f"inputs.{tensor.name}", f"shape {shown(tensor.shape)}", forms)
        data = _flat(tensor, rows * width)
        if whole:
            columns = {name: data[place::width] for place, name in enumerate(fields)}
        else:
            columns[tensor.name] = data
    return body.by_column(columns)


def _refused(field: str, what: str, allowed: str) -> BadInput:
    return BadInput(f"{field}: {what} is not usable; allowed: {allowed}.", field=field, allowed=allowed)


def _flat(tensor: Tensor, size: int) -> list[Any]:
    data: list[Any] = []
    for item in tensor.data:
        data.extend(item) if isinstance(item, list) else data.append(item)
    if len(data) != size:
        raise _refused(f"inputs.{tensor.name}", f"data of {len(data)} values", f"{size} as shape {tensor.shape} says")
    return data


def output_types(served: Served) -> dict[str, str]:
    """Datatype by output, in the protocol's words."""
    return {"cluster": "INT64", "distance": "FP64"} | dict.fromkeys(served.manifest.names, "BYTES")


def answer(request: InferenceRequest, served: Served, columns: Columns) -> dict[str, Any]:
    """The protocol's response, with NumPy arrays inside. Raises BadInput for an unknown output."""
    kinds = output_types(served)
    wanted = [output.name for output in request.outputs or ()] or list(kinds)
    if unknown := next((name for name in wanted if name not in kinds), None):
        raise _refused("outputs", shown(unknown), ", ".join(kinds))
    clusters, distances = served.assign(columns)
    data: dict[str, Any] = {"cluster": clusters, "distance": np.ascontiguousarray(distances)}
    for name in served.manifest.names:
        data[name] = [served.labels[cluster][name] for cluster in clusters.tolist()]
    outputs = [
        {"name": name, "shape": [len(clusters)], "datatype": kinds[name], "data": data[name]}
        for name in dict.fromkeys(wanted)
    ]
    manifest = served.manifest
    found = {"model_name": f"{manifest.workload}.{manifest.model}", "model_version": manifest.version}
    return found | ({"id": request.id} if request.id is not None else {}) | {"outputs": outputs}
