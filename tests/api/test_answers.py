"""The answers are those of the scoring code, on the paths and in the shapes that callers know."""

import numpy as np
import pytest

from millrace.api.column_reader import find_limits
from millrace.api.rows import find_field_type
from millrace.registry.checks import load_kmeans
from millrace.registry.registry import Registry
from millrace.scoring.features import make_matrix
from millrace.workloads import find_workload as find
from millrace.workloads import load_workloads
from tests.registry.made import clean_rows
from tests.registry.servers import settings_of

ALL = [(workload.name, model.name) for workload in load_workloads().values() for model in workload.clusterings]
KEPT = [(workload.name, endpoint) for workload in load_workloads().values() for endpoint in workload.endpoints]
KEPT_NAMES = [endpoint.path for _, endpoint in KEPT]


@pytest.fixture(scope="package")
def expected(variables):
    """(workload, model, rows) -> clusters and distances, straight from scoring."""

    def score(workload: str, model: str, rows: list[dict]):
        with settings_of(variables):
            registry = Registry()
            champion = registry.champion(workload, model)
            manifest, arrays = registry.load(workload, model, champion.version)
        records = [find(workload).record.model_validate(row).__dict__ for row in rows]
        features = [spec.model_dump() for spec in manifest.features]
        columns = {spec.field: [record[spec.field] for record in records] for spec in manifest.features}
        clusters, distances = load_kmeans(arrays).assign(make_matrix(features, columns))
        return manifest, clusters.tolist(), distances

    return score


def only(workload: str, model: str, rows: list[dict], extra: tuple[str, ...] = ()) -> list[dict]:
    fields = [feature.field for feature in find(workload).model(model).features] + list(extra)
    return [{name: row[name] for name in fields} for row in rows]


@pytest.mark.parametrize(("workload", "model"), ALL)
def test_predict_returns_same_cluster_as_scoring(api, expected, workload, model):
    rows = clean_rows(workload, 400, seed=5)
    manifest, clusters, distances = expected(workload, model, rows)
    answers = api.post(f"/v1/{workload}/{model}/predict", json=only(workload, model, rows)).json()
    assert [answer["cluster"] for answer in answers] == clusters
    assert np.allclose([answer["distance"] for answer in answers], distances, rtol=1e-12, atol=0)
    assert {answer["version"] for answer in answers} == {manifest.version}
    assert {answer["model"] for answer in answers} == {f"{workload}/{model}"}
    single = api.post(f"/v1/{workload}/{model}/predict", json=only(workload, model, rows)[7]).json()
    assert single == {name: value for name, value in answers[7].items() if name != "input"}


@pytest.mark.parametrize(("workload", "endpoint"), KEPT, ids=KEPT_NAMES)
def test_legacy_path_responds_as_its_callers_expect(api, expected, workload, endpoint):
    rows = clean_rows(workload, 60, seed=6)
    manifest, clusters, _ = expected(workload, endpoint.model, rows)
    sent = only(workload, endpoint.model, rows, endpoint.optional)
    if endpoint.many:
        answers = api.post(endpoint.path, json=sent).json()
        assert [answer.pop("input") for answer in answers] == sent
    else:
        answers = [api.post(endpoint.path, json=row).json() for row in sent]
    assert [answer["cluster"] for answer in answers] == clusters
    columns = {"cluster", "distance", "model", "version", *manifest.names}
    assert all(set(answer) == columns for answer in answers)
    for answer in answers:
        assert {name: answer[name] for name in manifest.names} == {
            name: names[answer["cluster"]] for name, names in manifest.names.items()
        }


def test_text_and_numbers_give_same_answer(api):
    text = {"num_subscribers": "10,000", "num_reviews": " 300", "num_lectures": "40", "content_duration": "4.5 hours"}
    plain = {"num_subscribers": 10000, "num_reviews": 300.0, "num_lectures": 40, "content_duration": 4.5}
    assert api.post("/course_popularity", json=text).json() == api.post("/course_popularity", json=plain).json()


def test_rupees_with_indian_grouping_are_parsed(api):
    rows = [{"discounted_price": "₹1,39,900", "rating": "4.2"}, {"discounted_price": 139900, "rating": 4.2}]
    first, second = api.post("/api/cluster_products_by_price_rating", json=rows).json()
    assert (first["cluster"], first["distance"]) == (second["cluster"], second["distance"])
    assert [first["input"], second["input"]] == rows


def test_single_row_is_classified_same_as_in_list(api):
    rows = [{"discount_percentage": "64%"}, {"discount_percentage": 5}, {"discount_percentage": 99.5}]
    path = "/api/cluster_products_by_discount"
    together = api.post(path, json=rows).json()
    assert [api.post(path, json=[row]).json()[0] for row in rows] == together


def test_empty_list_returns_empty_list(api):
    assert api.post("/api/cluster_products_by_discount", json=[]).json() == []


def test_difficulty_accepts_four_prototype_fields_and_optional_level(api):
    old = {"num_subscribers": 5, "num_reviews": 1, "num_lectures": 40, "content_duration": 4.5}
    assert api.post("/course_difficulty", json=old).status_code == 200
    neutral = api.post("/course_difficulty", json=old | {"level": "All Levels"}).json()
    levels = ["beginner", "intermediate", "expert"]
    others = [api.post("/course_difficulty", json=old | {"level": level}).json() for level in levels]
    assert api.post("/course_difficulty", json=old).json() == neutral
    assert len({answer["distance"] for answer in [neutral, *others]}) > 1


def test_fields_outside_contract_are_ignored(api):
    row = {"discount_percentage": 5, "seller": {"name": ["x"]}}
    answer = api.post("/api/cluster_products_by_discount", json=[row]).json()[0]
    assert answer["input"] == row


def test_greeting_that_callers_rely_on_is_unchanged(api):
    assert api.get("/").json() == {"message": "Big Data API is running."}


def test_curl_default_content_type_is_rejected_with_json_instructions(api):
    body = b'[{"discount_percentage": 5}]'
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = api.post("/api/cluster_products_by_discount", content=body, headers=headers)
    assert answer.status_code == 415
    assert "curl: --json instead of -d" in answer.json()["error"]["message"]
    headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
    assert api.post("/api/cluster_products_by_discount", content=body, headers=headers).status_code == 200


def test_all_workloads_and_champions_are_listed(api):
    assert [one["workload"] for one in api.get("/v1/workloads").json()] == list(load_workloads())
    assert [one["model"] for one in api.get("/v1/models").json()] == sorted(
        f"{workload.name}/{model.name}" for workload in load_workloads().values() for model in workload.models
    )


@pytest.mark.parametrize(("workload", "model"), ALL)
def test_model_reports_centres_in_original_field_units(api, workload, model):
    result = api.get(f"/v1/models/{workload}/{model}").json()
    assert result["data"]["snapshot_id"] == "8236482374234872343"
    assert len(result["clusters"]) == result["parameters"]["k"]
    numeric = [f.field for f in find(workload).model(model).features if f.transform in ("identity", "log1p")]
    if len(numeric) == len(result["features"]):  # then a centre can be asked for its own cluster
        whole = {name for name in numeric if find_limits(find_field_type(find(workload), name)).whole}
        for item in result["clusters"]:
            row = {name: max(0, round(v) if name in whole else v) for name, v in item["centre"].items()}
            answer = api.post(f"/v1/{workload}/{model}/predict", json=row).json()
            assert answer["cluster"] == item["cluster"]


@pytest.mark.parametrize("full_name", [f"{w.name}/{m.name}" for w in load_workloads().values() for m in w.models])
def test_every_champion_is_described_in_full(api, full_name):
    result = api.get(f"/v1/models/{full_name}").raise_for_status().json()
    assert result["model"] == full_name
    assert result["data"]["offsets"]
    assert bool(result["clusters"]) == (result["algorithm"] in ("kmeans", "pages"))


def test_unknown_model_is_rejected_with_available_models(api):
    answer = api.get("/v1/models/courses/luck")
    assert answer.status_code == 404
    assert "difficulty, popularity, price, trend" in answer.json()["error"]["message"]
    assert "allowed: catalogue, courses" in api.get("/v1/models/lakes/luck").json()["error"]["message"]
