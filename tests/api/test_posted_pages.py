"""Posted pages get the cluster that the model gives them, one by one and as a list."""

import numpy as np
import pytest

from millrace.pages.model import PageClusters
from tests.registry.made import clean_rows, made

PATH = "/v1/urls/pages"
FIELDS = ("url", "title", "keywords")
ROWS = [{name: row[name] for name in FIELDS} for row in clean_rows("urls", 40, seed=5)]


@pytest.fixture(scope="module")
def expected():
    draft, arrays = made("urls", "pages")
    clusters, distances = PageClusters.load(arrays).assign({name: [row[name] for row in ROWS] for name in FIELDS})
    return clusters, distances, draft.names["label"]


def test_posted_list_gets_clusters_assigned_by_model(api, expected):
    clusters, distances, labels = expected
    answers = api.post(PATH, json=ROWS).json()
    assert [one["cluster"] for one in answers] == clusters.tolist()
    assert [one["label"] for one in answers] == [labels[cluster] for cluster in clusters]
    np.testing.assert_allclose([one["distance"] for one in answers], distances, rtol=1e-5)
    assert len(set(clusters.tolist())) > 1
    assert {one["model"] for one in answers} == {"urls/pages"}


def test_single_page_gets_same_answer_as_in_list(api, expected):
    result = api.post(PATH, json=ROWS[7]).json()
    assert (result["cluster"], result["model"]) == (expected[0][7], "urls/pages")
    assert result["version"] == api.get("/v1/models/urls/pages").json()["version"]


def test_title_and_keywords_are_optional_and_empty_list_is_valid(api):
    url = ROWS[0]["url"]
    bare = api.post(PATH, json={"url": url}).json()
    assert bare == api.post(PATH, json={"url": url, "title": "", "keywords": ""}).json()
    assert api.post(PATH, json=[]).json() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "url"), ({"title": "x"}, "url"), ({"url": ""}, "url"), ([{"url": 3}], "[0].url"), ("x", "body")],
)
def test_invalid_page_is_rejected_with_its_field(api, body, field):
    answer = api.post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field


def test_clusters_come_from_training_before_stream_starts(api, expected):
    result = api.get("/v1/urls/clusters").json()
    assert not result["live"]
    assert [one["label"] for one in result["clusters"]] == expected[2]
    assert result["version"] == api.get("/v1/models/urls/pages").json()["version"]
