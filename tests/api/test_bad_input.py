"""Whatever is sent: never a 500, never a hang, always a sentence that names field, value and what is allowed."""

import json
import math

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.workloads import find_workload as find
from millrace.workloads import load_workloads
from tests.registry.made import clean_rows

MANY, ONE = "/api/cluster_products_by_price_rating", "/course_popularity"
AS_JSON = {"Content-Type": "application/json"}
MODELS = [(workload.name, model.name) for workload in load_workloads().values() for model in workload.clusterings]
PATHS = [
    *(endpoint.path for workload in load_workloads().values() for endpoint in workload.endpoints),
    *(f"/v1/{workload}/{model}/predict" for workload, model in MODELS),
    *(f"/v1/{workload.name}/recommendations" for workload in load_workloads().values() if workload.recommenders),
    *(f"/v1/{workload.name}/pages" for workload in load_workloads().values() if workload.pages),
    *(f"/v2/models/{workload}.{model}/infer" for workload, model in MODELS),
]
GOOD = {"num_subscribers": 5, "num_reviews": 1, "num_lectures": 40, "content_duration": 4.5}
CASES = settings(
    max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=80)
    | st.sampled_from(
        ["", "|", "₹12,34", "1e400", "-1", "NaN", "Infinity", "0x10", "１２", "5%%", "1,2,3", "\x00", "9" * 70]
    )
    | st.sampled_from([10**30, -(10**400), 2**53 + 1, 1e13, -0.5, 1e-320])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def dumped(value) -> bytes:
    """JSON as a careless client writes it: NaN and Infinity bare, lone surrogates escaped."""
    return json.dumps(value).encode()


def check(answer: httpx.Response) -> dict | None:
    """The error's body, after what holds for every answer was checked."""
    assert answer.status_code in (200, 413, 422), answer.text
    if answer.status_code == 200:
        return None
    error = answer.json()["error"]
    if isinstance(error, str):  # the V2 protocol's own form
        assert error.startswith(("body", "inputs", "outputs", "id", "parameters", "[")), error
        return None
    assert set(error) == {"code", "message", "field", "allowed"}
    assert error["field"], error
    assert error["message"].startswith(error["field"]), error
    assert "allowed" in error["message"], error
    assert len(error["message"]) < 600
    return error


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"null",
        b"true",
        b"5",
        b'"text"',
        b"{}",
        b"[[]]",
        b"[null]",
        b"[1]",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"num_subscribers": NaN}',
        b'{"num_subscribers": 1e999}',
        b"[" * 100_000,
        b"[" * 30_000,
        b'{"a":' * 50_000,
        b"[" * 300 + b"]" * 300,
        b'{"a": "\\ud800"}',
        b'{"a": 1, "a": 2}',
        b"\x00",
        b"a=1&b=2",
        b"--x\r\nContent-Disposition: form-data",
        b"9" * 5000,
        b'{"num_subscribers": ' + b"9" * 5000 + b"}",
        b'[{"rating": 5, "discounted_price": 5, "x": "\xff"}]',
    ],
    ids=lambda body: repr(body[:24]),
)
@pytest.mark.parametrize("path", [ONE, MANY, "/v1/courses/trend/predict", "/v2/models/courses.popularity/infer"])
def test_invalid_body_is_rejected(server, path, body):
    answer = server.client.post(path, content=body, headers=AS_JSON)
    check(answer)
    # Of so many lists and objects none is parsed.
    assert answer.status_code == (413 if body.count(b"[") + body.count(b"{") > 40_000 else 422)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "", "é".encode()])
def test_unsupported_content_type_is_rejected_with_supported_type(server, kind):
    answer = server.client.post(ONE, content=dumped(GOOD), headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert answer.json()["error"]["message"].startswith("Content-Type: ")
    assert answer.json()["error"]["allowed"] == "application/json"


@pytest.mark.parametrize("path", [ONE, "/v1/courses/popularity/predict"])
@given(field=st.sampled_from(sorted(GOOD)), value=VALUES)
@CASES
def test_invalid_value_is_reported_with_its_field(server, path, field, value):
    error = check(server.client.post(path, content=dumped(GOOD | {field: value}), headers=AS_JSON))
    if error and error["field"] != "body":
        assert error["field"] == field


@given(position=st.integers(0, 4), field=st.sampled_from(["discounted_price", "rating"]), value=VALUES)
@CASES
def test_invalid_value_in_list_is_reported_with_its_row(server, position, field, value):
    rows = [{"discounted_price": 5, "rating": "4.1"} for _ in range(5)]
    rows[position] = rows[position] | {field: value}
    error = check(server.client.post(MANY, content=dumped(rows), headers=AS_JSON))
    if error and error["field"] != "body":
        assert error["field"] == f"[{position}].{field}"


@given(path=st.sampled_from(PATHS), value=VALUES)
@CASES
def test_any_json_on_any_path_gets_valid_response(server, path, value):
    check(server.client.post(path, content=dumped(value), headers=AS_JSON))


@given(path=st.sampled_from(PATHS), body=st.binary(max_size=200))
@CASES
def test_any_bytes_on_any_path_get_valid_response(server, path, body):
    check(server.client.post(path, content=body, headers=AS_JSON))


@given(
    value=VALUES,
    shape=st.lists(st.integers(-(2**65), 2**65) | st.integers(0, 3), max_size=3),
    name=st.sampled_from(["input", "num_reviews", "x"]),
    datatype=st.sampled_from(["FP64", "BYTES", "INT64", "BOOL", "FP16"]),
)
@CASES
def test_any_tensor_gets_valid_response(server, value, shape, name, datatype):
    inputs = [{"name": name, "shape": shape, "datatype": datatype, "data": value}]
    check(
        server.client.post("/v2/models/courses.popularity/infer", content=dumped({"inputs": inputs}), headers=AS_JSON)
    )


@pytest.mark.parametrize(("workload", "model"), MODELS)
def test_every_missing_field_without_default_is_reported(server, workload, model):
    declared = find(workload).model(model)
    row = {feature.field: clean_rows(workload, 1)[0][feature.field] for feature in declared.features}
    for feature in declared.features:
        lacking = {name: value for name, value in row.items() if name != feature.field}
        for body, field in ((lacking, feature.field), ([row, lacking], f"[1].{feature.field}")):
            answer = server.client.post(f"/v1/{workload}/{model}/predict", json=body)
            if feature.default is not None:
                assert answer.status_code == 200
            else:
                assert check(answer)["field"] == field


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_number_is_rejected(server, value):
    assert (
        "is not JSON"
        in check(server.client.post(ONE, content=dumped(GOOD | {"num_reviews": value}), headers=AS_JSON))["message"]
    )
    assert check(server.client.post(ONE, json=GOOD | {"num_reviews": str(value)}))["field"] == "num_reviews"


def test_list_over_limit_is_rejected_with_its_length_and_limit(server):
    rows = [{"discount_percentage": 5}] * 10_001
    answer = server.client.post("/api/cluster_products_by_discount", json=rows)
    assert answer.status_code == 413
    assert "10001 rows are too many; allowed: 10000 rows" in check(answer)["message"]
    assert len(server.client.post("/api/cluster_products_by_discount", json=rows[1:]).json()) == 10_000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/course_popularity/", 404),
        ("GET", "/course_popularity", 405),
        ("PUT", "/", 405),
        ("GET", "/%ff%00", 404),
        ("POST", "/v1/models", 405),
        ("GET", "/v1/models/courses/%F0%9F%92%A5", 404),
        ("GET", "/v2/models/%2e%2e%2f/versions/x", 404),
        ("GET", "/" + "x" * 3000, 404),
        ("DELETE", "/metrics", 405),
    ],
)
def test_unknown_path_or_method_is_rejected_with_allowed_ones(server, method, path, status):
    answer = server.client.request(method, path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert "allowed: " in (error if isinstance(error, str) else error["message"])
