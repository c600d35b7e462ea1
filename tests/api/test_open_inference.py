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


def test_the_server_and_its_models_describe_themselves(api):
    assert api.get("/v2").json()["name"] == "millrace"
    assert api.get("/v2/health/live").json() == {"live": True}
    assert api.get("/v2/health/ready").json() == {"ready": True}
    found = api.get(PATH).json()
    assert found["inputs"] == [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}]
    assert [one["name"] for one in found["outputs"]] == ["cluster", "distance", "label"]
    assert api.get(f"{PATH}/ready").json() == {"name": "courses.popularity", "ready": True}
    dates = api.get("/v2/models/courses.trend").json()["inputs"]
    assert dates[0] == {"name": "published_timestamp", "datatype": "BYTES", "shape": [-1]}


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_one_tensor_gives_what_predict_gives(api, flat):
    data = [value for row in ROWS for value in row] if flat else ROWS
    answer = api.post(f"{PATH}/infer", json={"id": "seven", "inputs": [tensor("input", data, [3, 4])]})
    found = outputs(answer)
    predicted = api.post(
        "/v1/courses/popularity/predict", json=[dict(zip(FIELDS, row, strict=True)) for row in ROWS]
    ).json()
    assert answer.json()["id"] == "seven"
    assert answer.json()["model_name"] == "courses.popularity"
    assert answer.json()["model_version"] == predicted[0]["version"]
    assert found["cluster"] | {"data": []} == tensor("cluster", [], [3], "INT64")
    for column in ("cluster", "distance", "label"):
        assert found[column]["data"] == [row[column] for row in predicted]


def test_one_tensor_a_field_may_carry_text(api):
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


def test_only_the_outputs_that_are_wanted_are_sent(api):
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
def test_a_request_that_is_not_acceptable_is_answered_in_the_protocols_shape(api, request_body, status, sentence):
    answer = api.post(f"{PATH}/infer", json=request_body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize("path", ["/v2/models/luck", "/v2/models/luck/ready", f"{PATH}/versions/1", "/v2/nothing"])
def test_what_does_not_exist_is_named(api, path):
    answer = api.get(path)
    assert answer.status_code == 404
    assert isinstance(answer.json()["error"], str)


def test_a_version_that_is_not_the_champion_answers_too(api, variables):
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


def test_a_damaged_version_is_refused_with_a_sentence(api, variables):
    with settings_of(variables):
        registry = Registry()
        version = registry.publish(*made("courses", "popularity", seed=3)).version
        registry.store.put(f"models/courses/popularity/{version}/mean.npy", b"x")
    answer = api.get(f"{PATH}/versions/{version}/ready")
    assert answer.status_code == 503
    assert "mean.npy has the checksum" in answer.json()["error"]
