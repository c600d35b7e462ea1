"""Recommendations as callers get them: nothing known, nothing unknown, nothing twice, and why."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.runtime.text_arrays import read_text_arrays
from tests.registry.made import recommender

BASE = pytest.mark.parametrize("base", ["/v1/shop", "/v1/mooc"])
ARRAYS = recommender()
IDS, USERS = (read_text_arrays(ARRAYS)[name].to_list() for name in ("item_ids", "users"))
CASES = settings(
    max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def history(user: str) -> list[str]:
    position = USERS.index(user)
    start, end = ARRAYS["history_starts"][position : position + 2]
    return [IDS[item] for item in ARRAYS["history_items"][start:end]]


def ids(answer) -> list[str]:
    return [item["id"] for item in answer["items"]]


@given(user=st.sampled_from(USERS), n=st.integers(1, 100))
@CASES
def test_recommendations_contain_no_known_unknown_or_duplicate_items(api, user, n):
    answer = api.get(f"/v1/shop/recommendations/{user}", params={"n": n}).json()
    result = ids(answer)
    assert len(result) == len(set(result)) == min(n, len(IDS) - 1 - len(set(history(user))))
    assert not set(result) & set(history(user))
    assert set(result) <= set(IDS[:-1])
    assert all({one["id"] for one in item["because"]} <= set(history(user)) for item in answer["items"])
    assert answer["fallback"] is None


@given(given_ids=st.lists(st.sampled_from(IDS) | st.text(max_size=8).filter(bool), max_size=30), n=st.integers(1, 20))
@CASES
def test_posted_history_is_answered_by_same_rules(api, given_ids, n):
    body = {"history": given_ids, "n": n}
    answer = api.post("/v1/mooc/recommendations", json=body).json()
    result, known = ids(answer), set(given_ids) & set(IDS)
    assert len(result) == len(set(result)) <= n
    assert not set(result) & known
    assert set(result) <= set(IDS)
    assert answer["fallback"] == (None if known else "popularity")


@BASE
def test_user_gets_same_answer_as_posted_history_and_user_list(api, base):
    user = USERS[3]
    alone = api.get(f"{base}/recommendations/{user}?n=5").json()
    posted = api.post(f"{base}/recommendations", json={"history": history(user), "n": 5}).json()
    many = api.post(f"{base}/recommendations", json={"users": [*USERS, "nobody"], "n": 5}).json()
    assert alone == posted == {name: value for name, value in many[3].items() if name != "user_id"}
    assert [one["user_id"] for one in many] == [*USERS, "nobody"]
    assert many[-1]["fallback"] == "popularity"
    assert alone["items"][0]["name"].startswith("Món ")


@BASE
def test_known_items_are_returned_on_request(api, base):
    answers = [api.get(f"{base}/recommendations/{user}?n=100&keep_known=true").json() for user in USERS]
    assert any(set(ids(answer)) & set(history(user)) for answer, user in zip(answers, USERS, strict=True))


@BASE
def test_unknown_user_gets_popular_items_reported_as_fallback(api, base):
    answer = api.get(f"{base}/recommendations/nobody").json()
    popular = api.get(f"{base}/popular").json()
    assert answer["fallback"] == "popularity"
    assert answer["items"] == popular["items"]
    assert len(ids(popular)) == (3 if base == "/v1/shop" else 10)
    assert ids(popular) == [IDS[item] for item in ARRAYS["popular"][: len(ids(popular))]]


@BASE
def test_user_histories_and_similar_items_are_returned(api, base):
    shown = api.get(f"{base}/history/{USERS[0]}").json()
    assert [item["id"] for item in shown["items"]] == history(USERS[0])
    assert shown["total"] == len(history(USERS[0]))
    similar = api.get(f"{base}/similar/{IDS[0]}?n=4").json()
    assert len(ids(similar)) == 4
    assert IDS[0] not in ids(similar)


@pytest.mark.parametrize(
    ("path", "status", "output"),
    [
        ("recommendations/U1?n=0", 422, "n: 0 is not usable; allowed: a whole number from 1 to 100"),
        ("recommendations/U1?n=many", 422, "n: 'many' is not usable"),
        ("recommendations/U1?keep_known=maybe", 422, "keep_known: 'maybe' is not usable; allowed: true, false"),
        ("recommendations/" + "x" * 300, 422, "allowed: an id of 1 to 200 characters"),
        ("similar/I999", 404, "item_id: 'I999' is not known; allowed: an item of shop/recommendations"),
        ("history/nobody", 404, "user_id: 'nobody' has no history"),
        ("history/U1?n=1001", 422, "n: 1001 is not usable; allowed: a whole number from 1 to 1000"),
    ],
)
def test_invalid_query_is_rejected_with_allowed_values(api, path, status, output):
    answer = api.get(f"/v1/shop/{path}")
    assert answer.status_code == status
    assert output in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "output"),
    [
        ({}, 422, "body: has both or neither; allowed: either history or users"),
        ({"history": [], "users": []}, 422, "either history or users"),
        ({"history": "I001"}, 422, "history: 'I001' is not usable; allowed: a list of ids"),
        ({"history": ["I001", 1.5]}, 422, "history[1]: 1.5 is not usable"),
        ({"users": ["U1"] * 1001}, 413, "users: 1001 ids are too many; allowed: 1000 ids"),
        ({"history": ["I001"], "n": 101}, 422, "n: 101 is not usable"),
        ({"history": ["I001"], "limit": 3}, 422, "allowed: a JSON object with history, users, n, keep_known"),
    ],
)
def test_invalid_body_is_rejected_with_allowed_values(api, body, status, output):
    answer = api.post("/v1/mooc/recommendations", json=body)
    assert answer.status_code == status
    assert output in answer.json()["error"]["message"]
