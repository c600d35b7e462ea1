"""The Open Inference Protocol V2: the same answers in that protocol's shapes."""

import pytest

from millrace.registry.registry import Registry
from tests.registry.made import made
from tests.registry.servers import settings_of

PATH = "/v2/models/courses.popularity"
ROWS = [[10000, 300, 40, 4.5], [12, 0, 5, 0.5], [250000, 9000, 400, 40]]
FIELDS = ["num_subscribers", "num_reviews", "num_lectures", "content_duration"]


def tensor(name, data, shape, datatype="FP64"):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def outputs(answer):
    return {one["name"]: one for one in answer.json()["outputs"]}


def test_server_and_models_report_metadata_and_readiness(api):
    assert api.get("/v2").json()["name"] == "millrace"
    assert api.get("/v2/health/live").json() == {"live": True}
    assert api.get("/v2/health/ready").json() == {"ready": True}
    result = api.get(PATH).json()
    assert result["inputs"] == [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}]
    assert [one["name"] for one in result["outputs"]] == ["cluster", "distance", "label"]
    assert api.get(f"{PATH}/ready").json() == {"name": "courses.popularity", "ready": True}
    dates = api.get("/v2/models/courses.trend").json()["inputs"]
    assert dates[0] == {"name": "published_timestamp", "datatype": "BYTES", "shape": [-1]}


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_single_tensor_inference_matches_predict(api, flat):
    data = [value for row in ROWS for value in row] if flat else ROWS
    answer = api.post(f"{PATH}/infer", json={"id": "seven", "inputs": [tensor("input", data, [3, 4])]})
    result = outputs(answer)
    predicted = api.post(
        "/v1/courses/popularity/predict", json=[dict(zip(FIELDS, row, strict=True)) for row in ROWS]
    ).json()
    assert answer.json()["id"] == "seven"
    assert answer.json()["model_name"] == "courses.popularity"
    assert answer.json()["model_version"] == predicted[0]["version"]
    assert result["cluster"] | {"data": []} == tensor("cluster", [], [3], "INT64")
    for column in ("cluster", "distance", "label"):
        assert result[column]["data"] == [row[column] for row in predicted]


def test_one_tensor_per_field_may_contain_text(api):
    inputs = [
        tensor("level", ["expert", "All Levels"], [2], "BYTES"),
        tensor("num_lectures", [4, 400], [2, 1], "INT64"),
        tensor("content_duration", ["43 mins", "40"], [2], "BYTES"),
    ]
    answer = api.post("/v2/models/courses.difficulty/infer", json={"inputs": inputs})
    rows = [
        {"level": "expert", "num_lectures": 4, "content_duration": "43 mins"},
        {"level": "All Levels", "num_lectures": 400, "content_duration": 40},
    ]
    predicted = api.post("/v1/courses/difficulty/predict", json=rows).json()
    assert outputs(answer)["cluster"]["data"] == [row["cluster"] for row in predicted]


def test_only_requested_outputs_are_returned(api):
    request = {"inputs": [tensor("input", ROWS, [3, 4])], "outputs": [{"name": "label"}]}
    assert list(outputs(api.post(f"{PATH}/infer", json=request))) == ["label"]


@pytest.mark.parametrize(
    ("request_body", "status", "sentence"),
    [
        ({}, 422, "inputs: is missing"),
        ({"inputs": []}, 422, "inputs"),
        ({"inputs": [tensor("input", [1, 2], [1, 2])]}, 422, r"inputs.input: shape [1, 2] is not usable"),
        ({"inputs": [tensor("input", [1, 2, 3], [1, 4])]}, 422, "data of 3 values is not usable; allowed: 4"),
        (
            {"inputs": [tensor("input", [1, 2, 3, "x"], [1, 4])]},
            422,
            "inputs.input[0].content_duration: 'x' is not usable",
        ),
        ({"inputs": [tensor("input", [1, 2, 3, -4], [1, 4])]}, 422, "-4"),
        ({"inputs": [tensor("input", ROWS, [3, 4], "FP99")]}, 422, "inputs[0].datatype: 'FP99' is not usable"),
        ({"inputs": [tensor("other", [1], [1])]}, 422, "tensor 'other' is not usable"),
        ({"inputs": [tensor("num_reviews", [1], [1])]}, 422, "[0].num_subscribers: is missing"),
        ({"inputs": [tensor("input", [], [0, 4])]}, 422, "shape [0, 4]"),
        ({"inputs": [tensor("input", [], [10**9, 4])]}, 413, "1000000000 rows are too many; allowed: 10000 rows"),
        ({"inputs": [tensor("input", ROWS, [3, 4])], "outputs": [{"name": "x"}]}, 422, "outputs: 'x' is not usable"),
        ([], 422, "body: [] is not usable"),
    ],
)
def test_invalid_request_is_rejected_in_protocol_format(api, request_body, status, sentence):
    answer = api.post(f"{PATH}/infer", json=request_body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("shape", "datatype", "data", "sentence"),
    [
        ([2, 4], "FP64", [[1, 2], [3, 4, 5, 6], [7, 8]], "data of 3 lists is not usable; allowed: 8 values"),
        ([2, 4], "FP64", [[1, 2, 3], [4, 5, 6, 7, 8]], "data[0], a list of 3, is not usable; allowed: a list of 4"),
        ([2, 4], "FP64", [[1, 2, 3, 4, 5, 6, 7, 8]], "data of 1 lists"),
        ([2, 4], "FP64", [[1, 2, 3, 4], 5], "data[1], 5, is not usable; allowed: a list of 4"),
        ([2, 4], "FP64", [1, 2, 3, 4, [5, 6, 7, 8]], "data of 5 values"),
        ([1, 4], "FP64", [[[1, 2, 3, 4]]], "data[0], a list of 1,"),
        ([1, 4], "FP64", [[1, [2], 3, 4]], "inputs.input[0].num_reviews: [2] is not usable; allowed: a number"),
        ([1, 4], "FP64", [1, None, 3, 4], "inputs.input[0].num_reviews: null is not usable; allowed: a number"),
        ([1, 4], "FP64", [1, True, 3, 4], "inputs.input[0].num_reviews: true is not usable; allowed: a number"),
        ([1, 4], "INT64", [1, True, 3, 4], "true is not usable; allowed: a whole number, as its datatype INT64 says"),
        ([1, 4], "INT64", [1, "2", 3, 4], "'2' is not usable; allowed: a whole number"),
        ([1, 4], "INT64", [1, 2.5, 3, 4], "2.5 is not usable; allowed: a whole number"),
        ([1, 4], "INT64", [1, 2.0, 3, 4], "2.0 is not usable; allowed: a whole number"),
        (
            [1, 4],
            "INT64",
            [1, 2**63, 3, 4],
            "9223372036854775808 is not usable; allowed: a whole number from -9223372036",
        ),
        ([1, 4], "INT8", [1, 128, 3, 4], "128 is not usable; allowed: a whole number from -128 to 127"),
        ([1, 4], "UINT16", [1, -1, 3, 4], "-1 is not usable; allowed: a whole number from 0 to 65535"),
        ([1, 4], "FP32", [1, 1e39, 3, 4], "1e+39 is not usable; allowed: a number from"),
        ([1, 4], "FP16", [1, 70000, 3, 4], "70000 is not usable; allowed: a number from -65504 to 65504"),
        ([1, 4], "BOOL", [1, 0, 1, 1], "1 is not usable; allowed: true, false"),
        ([1, 4], "BYTES", [1, 2, 3, 4], "1 is not usable; allowed: text"),
        ([-1, 4], "FP64", [], "shape [-1, 4] is not usable"),
        ([2**62, 4], "FP64", [], "4611686018427387904 rows are too many"),
        ([2**63, 2**63], "FP64", [], "9223372036854775808 rows are too many"),
        ([2**65, 4], "FP64", [], "inputs[0].shape[0]: "),
        ([1, 0], "FP64", [], "shape [1, 0] is not usable"),
        ([1.0, 4], "FP64", [1, 2, 3, 4], "inputs[0].shape[0]: 1.0 is not usable; allowed: a whole number"),
        ([True, 4], "FP64", [1, 2, 3, 4], "inputs[0].shape[0]: true is not usable; allowed: a whole number"),
        ([1, 2, 2], "FP64", [1, 2, 3, 4], "inputs[0].shape: has 3 items; allowed: at most 2 items"),
        ([], "FP64", [1], "inputs[0].shape: [] is not usable; allowed: 1 or more items"),
    ],
    ids=str,
)
def test_data_not_matching_shape_or_datatype_is_rejected(api, shape, datatype, data, sentence):
    answer = api.post(f"{PATH}/infer", json={"inputs": [tensor("input", data, shape, datatype)]})
    assert answer.status_code in (413, 422)
    assert sentence in answer.json()["error"]


def test_column_may_be_nested_only_as_its_shape_declares(api):
    columns = [tensor(name, [[1], [2]], [2, 1], "INT64") for name in FIELDS]
    assert api.post(f"{PATH}/infer", json={"inputs": columns}).status_code == 200
    columns[0]["shape"] = [2]
    answer = api.post(f"{PATH}/infer", json={"inputs": columns})
    assert answer.status_code == 422
    assert "inputs.num_subscribers: data of 2 lists is not usable" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/v2/models/luck", "/v2/models/luck/ready", f"{PATH}/versions/1", "/v2/nothing"])
def test_unknown_resource_returns_404_with_error_message(api, path):
    answer = api.get(path)
    assert answer.status_code == 404
    assert isinstance(answer.json()["error"], str)


def test_non_champion_version_also_serves_predictions(api, variables):
    with settings_of(variables):
        draft, arrays = made("courses", "popularity", seed=2)
        version = Registry().publish(draft, arrays).version
    path = f"{PATH}/versions/{version}"
    request = {"inputs": [tensor("input", ROWS, [3, 4])]}
    assert api.get(f"{path}/ready").json()["ready"] is True
    assert version in api.get(path).json()["versions"]
    answer = api.post(f"{path}/infer", json=request).json()
    assert answer["model_version"] == version
    assert answer["outputs"] != api.post(f"{PATH}/infer", json=request).json()["outputs"]


def test_corrupt_version_is_rejected_with_reason(api, variables):
    with settings_of(variables):
        registry = Registry()
        version = registry.publish(*made("courses", "popularity", seed=3)).version
        array = f"models/courses/popularity/{version}/mean.npy"
        intact, _ = registry.store.get(array)
        registry.store.put(array, b"x")
    answer = api.get(f"{PATH}/versions/{version}/ready")
    assert answer.status_code == 503
    assert "mean.npy has the checksum" in answer.json()["error"]
    registry.store.put(array, intact)  # other tests ask for the newest version
    assert api.get(f"{PATH}/versions/{version}/ready").status_code == 200
