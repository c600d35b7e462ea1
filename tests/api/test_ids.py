"""Ids of any characters are reachable, in the path and, for what clients and proxies change there, in the query."""

from urllib.parse import quote

import pytest

IDS = [
    "a/b",
    "/",
    "a//b",
    "a/",
    "/a",
    "a?b#c&d=e",
    "50%",
    "%2F",
    "a b",
    "..",
    "../x",
    ".",
    "+",
    "😀",
    "ü/é",
    "\ufffd",
    ";",
]
PATHS = [("recommendations", "user_id"), ("history", "user_id"), ("similar", "item_id")]


@pytest.mark.parametrize("identifier", IDS)
@pytest.mark.parametrize(("path", "name"), PATHS)
def test_id_with_any_characters_is_reachable(api, path, name, identifier):
    for answer in (
        # httpx would resolve dots in a path, as browsers do: there the query is the way.
        api.get(f"/v1/mooc/{path}/{quote(identifier, safe='')}" if "." not in identifier else f"/v1/mooc/{path}/a"),
        api.get(f"/v1/mooc/{path}", params={name: identifier}),
    ):
        wanted = identifier if answer.request.url.query or "." not in identifier else "a"
        if path == "recommendations":
            assert answer.json()["fallback"] == "popularity"
        else:
            assert answer.status_code == 404
            assert answer.json()["error"]["field"] == name
            assert answer.json()["error"]["message"].startswith(f"{name}: {wanted!r} ")


def test_slash_decoded_by_proxy_resolves_to_same_id(api):
    assert "'x/y' is not known" in api.get("/v1/mooc/similar/x/y").json()["error"]["message"]


def test_known_item_gives_same_answer_in_path_and_query(api):
    (first, *_) = api.get("/v1/mooc/popular?n=1").json()["items"]
    in_path = api.get(f"/v1/mooc/similar/{quote(first['id'], safe='')}?n=3").json()
    assert in_path["items"]
    assert api.get("/v1/mooc/similar", params={"item_id": first["id"], "n": 3}).json() == in_path


@pytest.mark.parametrize(("path", "name"), PATHS)
def test_invalid_id_is_rejected_with_its_parameter_name(api, path, name):
    for query, sentence in {
        f"/v1/mooc/{path}": f"{name}: is missing; allowed: an id",
        f"/v1/mooc/{path}?{name}=": f"{name}: '' is not usable; allowed: an id of 1 to 200 characters",
        f"/v1/mooc/{path}/": f"{name}: '' is not usable; allowed: an id of 1 to 200 characters",
        f"/v1/mooc/{path}/{'x' * 201}": "allowed: an id of 1 to 200 characters",
        f"/v1/mooc/{path}/%ff": "allowed: an id in UTF-8, percent-encoded",
        f"/v1/mooc/{path}?{name}=a%ff": "allowed: an id in UTF-8, percent-encoded",
    }.items():
        answer = api.get(query)
        assert answer.status_code == 422, query
        assert sentence in answer.json()["error"]["message"]


def test_metrics_aggregate_all_ids_of_same_route(api):
    api.get("/v1/mooc/history/a%2Fb%2Fc")
    assert 'route="/v1/mooc/history/{user_id}",status="404"' in api.get("/metrics").text
