"""The Open Inference Protocol as stock clients speak it at their defaults.

What they send was read in their sources and seen on the wire: tritonclient 2.73 (`http/_utils.py`, `_infer_input.py`,
`_infer_result.py`), and KServe's SDK 0.21 (`InferenceRESTClient`, `protocol/infer_type.py`). tritonclient posts no
Content-Type, its asyncio client and KServe's SDK binary tensors as application/octet-stream. The bytes are made here as
they make them, and the answers taken apart as they do.
"""

import gzip
import json
import struct
import zlib

import numpy as np
import pytest

PATH = "/v2/models/courses.popularity"
ROWS = np.array([[10000, 300, 40, 4.5], [12, 0, 5, 0.5], [250000, 9000, 400, 40]])
FIELDS = ["num_subscribers", "num_reviews", "num_lectures", "content_duration"]
DTYPES = {"INT64": np.int64, "FP64": np.float64}
HEADER = "Inference-Header-Content-Length"
CODINGS = {"gzip": (gzip.compress, gzip.decompress), "deflate": (zlib.compress, zlib.decompress)}


def binary(name, values, datatype):
    """An input whose data follow the JSON, and these bytes."""
    if datatype == "BYTES":
        data = b"".join(struct.pack("<I", len(text)) + text for text in values)
        shape = [len(values)]
    else:
        data, shape = values.tobytes(), list(values.shape)
    tensor = {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(data)}}
    return tensor, data


def post(api, request, tail=b"", path=f"{PATH}/infer", coding=None, **headers):
    document = json.dumps(request).encode()
    body = document + tail
    if tail:
        headers[HEADER] = str(len(document))
    if coding:
        headers |= {"Content-Encoding": coding, "Accept-Encoding": coding}
        body = CODINGS[coding][0](body)
    return api.send(api.build_request("POST", path, content=body, headers=headers), stream=True)


def parsed(answer):
    """Values by output, read as tritonclient's InferResult reads them."""
    content = b"".join(answer.iter_raw())
    assert answer.status_code == 200, content
    if coding := answer.headers.get("content-encoding"):
        content = CODINGS[coding][1](content)
    length = answer.headers.get(HEADER)
    document = json.loads(content if length is None else content[: int(length)])
    rest = b"" if length is None else content[int(length) :]
    results = {}
    for output in document["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            results[output["name"]] = output["data"]
            continue
        data, rest = rest[:size], rest[size:]
        if output["datatype"] == "BYTES":
            texts = []
            while data:
                (length,) = struct.unpack_from("<I", data)
                texts.append(data[4 : 4 + length].decode())
                data = data[4 + length :]
            results[output["name"]] = texts
        else:
            results[output["name"]] = np.frombuffer(data, DTYPES[output["datatype"]]).tolist()
    assert rest == b""
    return results


@pytest.fixture(scope="module")
def wanted(server):
    rows = [dict(zip(FIELDS, row, strict=True)) for row in ROWS.tolist()]
    predicted = server.client.post("/v1/courses/popularity/predict", json=rows).json()
    return {name: [row[name] for row in predicted] for name in ("cluster", "distance", "label")}


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "application/json"])
def test_default_client_requests_send_and_receive_binary_tensors(api, wanted, kind):
    tensor, data = binary("input", ROWS, "FP64")
    headers = {"Content-Type": kind} if kind else {}
    # Without outputs tritonclient asks for all of them as bytes.
    answer = post(api, {"inputs": [tensor], "parameters": {"binary_data_output": True}}, data, **headers)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert HEADER in answer.headers
    assert parsed(answer) == wanted


def test_each_output_may_be_binary_or_json(api, wanted):
    tensor, data = binary("input", ROWS, "FP64")
    outputs = [
        {"name": "label", "parameters": {"binary_data": True}},
        {"name": "cluster", "parameters": {"binary_data": False}},
    ]
    answer = post(api, {"inputs": [tensor], "outputs": outputs}, data)
    assert parsed(answer) == {name: wanted[name] for name in ("label", "cluster")}


def test_json_without_content_type_is_accepted(api, wanted):
    tensor = {"name": "input", "shape": [3, 4], "datatype": "FP64", "data": ROWS.ravel().tolist()}
    answer = post(api, {"id": "x", "inputs": [tensor]})
    assert answer.headers["content-type"] == "application/json"
    assert HEADER not in answer.headers
    assert parsed(answer) == wanted


def test_multiple_binary_tensors_are_read_in_input_order(api):
    kinds = {
        "num_subscribers": ([b"10,000", b"1"], "BYTES"),
        "num_reviews": (np.array([310, 2], np.uint16), "UINT16"),
        "num_lectures": (np.array([[42], [3]], np.int32), "INT32"),
        "content_duration": ([b"4.5 hours", b"1h 30m"], "BYTES"),
    }
    tensors = [binary(name, values, datatype) for name, (values, datatype) in kinds.items()]
    result = parsed(post(api, {"inputs": [tensor for tensor, _ in tensors]}, b"".join(data for _, data in tensors)))
    rows = [
        {"num_subscribers": 10000, "num_reviews": 310, "num_lectures": 42, "content_duration": 4.5},
        {"num_subscribers": 1, "num_reviews": 2, "num_lectures": 3, "content_duration": 1.5},
    ]
    assert result["label"] == [row["label"] for row in api.post("/v1/courses/popularity/predict", json=rows).json()]


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "INT16", "UINT8"])
def test_numbers_of_every_width_are_read(api, datatype):
    row = np.array([[100, 3, 4, 5]])
    tensor, data = binary(
        "input",
        row.astype({"F": "f", "I": "i", "U": "u"}[datatype[0]] + str(int(datatype.lstrip("UINTFP")) // 8)),
        datatype,
    )
    in_json = {"name": "input", "shape": [1, 4], "datatype": datatype, "data": row.ravel().tolist()}
    assert parsed(post(api, {"inputs": [tensor]}, data)) == parsed(post(api, {"inputs": [in_json]}))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_request_and_response_may_be_compressed(api, coding):
    rows = np.tile(ROWS, (100, 1))
    tensor, data = binary("input", rows, "FP64")
    request = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    packed = post(api, request, data, coding=coding)
    assert packed.headers["content-encoding"] == coding
    assert packed.headers["vary"] == "Accept-Encoding"
    plain = post(api, request, data, **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert parsed(packed) == parsed(plain)


def test_specific_version_also_returns_binary_outputs(api, wanted):
    version = api.get(PATH).json()["versions"][-1]
    tensor, data = binary("input", ROWS, "FP64")
    request = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    answer = post(api, request, data, f"{PATH}/versions/{version}/infer")
    assert set(parsed(answer)) == set(wanted)


def test_paths_that_clients_probe_first_respond_as_expected(api):
    version = api.get(PATH).json()["versions"][-1]
    for path in ("/v2/health/live", "/v2/health/ready", f"{PATH}/ready", f"{PATH}/versions/{version}/ready"):
        assert api.get(path).status_code == 200
    assert api.get("/v2/health/live").json()["live"] is api.get("/v2/health/ready").json()["ready"] is True
    assert api.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert api.get(f"{PATH}/versions/{version}").json()["name"] == "courses.popularity"
    assert api.get("/v2/models/nosuch/ready").status_code == 404


def broken(**changes):
    tensor, data = binary("input", ROWS, "FP64")
    return tensor | changes, data


@pytest.mark.parametrize(
    ("tensor", "data", "headers", "sentence"),
    [
        (*broken(parameters={"binary_data_size": 88}), {}, "binary_data_size 88 is not usable; allowed: 96 bytes"),
        (*broken(parameters={"binary_data_size": 97}), {}, "a whole number of at most 96"),
        (*broken(parameters={"binary_data_size": -1}), {}, "binary_data_size -1 is not usable"),
        (*broken(parameters={"binary_data_size": True}), {}, "binary_data_size true is not usable"),
        (*broken(parameters={"binary_data_size": None}), {}, "has neither data nor binary_data_size"),
        (*broken(data=[1, 2, 3, 4]), {}, "has both data and binary_data_size"),
        (*broken(parameters={"shared_memory_region": "x"}), {}, "parameter shared_memory_region is not usable"),
        (*broken(datatype="FP32"), {}, "allowed: 48 bytes as shape [3, 4] of FP32 says"),
        (*broken(datatype="BF16"), {}, "inputs[0].datatype: 'BF16' is not usable"),
        (broken()[0], broken()[1] + b"more", {}, "4 bytes after the last binary tensor"),
        (*broken(), {HEADER: "0"}, f"{HEADER}: '0' is not usable"),
        (*broken(), {HEADER: "999999"}, f"{HEADER}: '999999' is not usable"),
        (*broken(), {HEADER: "x"}, f"{HEADER}: 'x' is not usable"),
        (*broken(), {HEADER: "20"}, "is not JSON"),
        (binary("input", np.array([[np.nan, 1, 1, 1]]), "FP64")[0], np.array([[np.nan, 1, 1, 1]]).tobytes(), {}, "nan"),
    ],
)
def test_binary_data_not_matching_its_tensor_is_rejected(api, tensor, data, headers, sentence):
    document = json.dumps({"inputs": [tensor]}).encode()
    answer = api.post(f"{PATH}/infer", content=document + data, headers={HEADER: str(len(document))} | headers)
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x05\0\0\0ab", "binary data of 6 bytes"),
        (b"\x01\0\0\0a\x01\0\0\0b", "allowed: 1 texts as shape [1] says"),
        (b"\xff\xff\xff\xff", "binary data of 4 bytes"),
        (b"\x01\0\0", "binary data of 3 bytes"),
        (b"\x01\0\0\0\xff", "text in UTF-8"),
    ],
)
def test_texts_not_matching_their_lengths_are_rejected(api, data, sentence):
    tensor = {"name": "level", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    document = json.dumps({"inputs": [tensor]}).encode()
    headers = {HEADER: str(len(document))}
    answer = api.post("/v2/models/courses.difficulty/infer", content=document + data, headers=headers)
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]
