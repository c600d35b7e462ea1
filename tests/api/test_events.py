"""Posting events: what is refused, with what is allowed, and how long an absent broker is waited for."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.conftest import new_bucket
from tests.api.server import serving
from tests.registry.servers import free_port

FUTURE = "2099-12-31T00:00:00Z"
GOOD = {"user_id": "U1", "course_id": "C1", "enrolled_at": "2020-01-01T00:00:00Z"}
PURCHASE = {"event_time": None, "order_id": 1, "product_id": "P", "price": 2, "user_id": None}


@pytest.fixture(scope="module")
def api(s3_variables, tmp_path_factory):
    """A server whose broker is away."""
    away = {
        "MILLRACE_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "MILLRACE_API_EVENT_TIMEOUT": "1",
        "MILLRACE_API_LIST_LIMIT": "100",
    }
    with serving(new_bucket(s3_variables) | away, tmp_path_factory.mktemp("api")) as result:
        yield result.client
        assert "Traceback" not in result.log, result.log[-3000:]


@pytest.mark.parametrize(
    ("body", "status", "field", "output"),
    [
        ({}, 422, "user_id", "user_id: is missing"),
        (GOOD | {"course_id": ""}, 422, "course_id", "course_id: '' is not usable; allowed: an id of 1 to 200"),
        (GOOD | {"course_id": 1.5}, 422, "course_id", "course_id: 1.5 is not usable"),
        (GOOD | {"enrolled_at": "yesterday"}, 422, "enrolled_at", "'yesterday' is not usable; allowed: a date from"),
        (GOOD | {"event_id": ""}, 422, "event_id", "event_id: '' is not usable; allowed: an id of 1 to 200"),
        (GOOD | {"event_id": {"a": 1}}, 422, "event_id", "is not usable; allowed: an id"),
        ([GOOD, GOOD | {"user_id": None}], 422, "[1].user_id", "[1].user_id: null is not usable"),
        ([GOOD, GOOD | {"event_id": True}], 422, "[1].event_id", "[1].event_id: true is not usable"),
        ([GOOD, 7], 422, "[1]", "[1]: 7 is not usable; allowed: a JSON object with user_id, course_id, enrolled_at"),
        ([], 422, "body", "body: is an empty list; allowed: an event, or a list of one or more"),
        ("text", 422, "body", "body: 'text' is not usable"),
        ({"user_id": "U1", "course_order": []}, 422, "course_order", "course_order: holds no course"),
        (
            GOOD | {"enrolled_at": FUTURE},
            422,
            "enrolled_at",
            "2099-12-31T00:00:00+00:00 is not usable; allowed: a time up",
        ),
        ([GOOD, GOOD | {"enrolled_at": FUTURE}], 422, "[1].enrolled_at", "[1].enrolled_at: 2099-12-31T00:00:00+00:00"),
        ([GOOD] * 101, 413, "body", "101 rows are too many; allowed: 100 rows"),
    ],
)
def test_invalid_event_is_rejected_with_field_value_and_allowed_values(api, body, status, field, output):
    answer = api.post("/v1/mooc/events", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["field"] == field
    assert output in answer.json()["error"]["message"]


def test_future_time_is_rejected_with_its_own_code_and_allowed_range(api):
    error = api.post("/v1/shop/events", json=PURCHASE | {"event_time": FUTURE}).json()["error"]
    assert (error["code"], error["field"]) == ("in_the_future", "event_time")
    assert error["allowed"].startswith("a time up to 20")


def test_time_a_few_hours_ahead_is_accepted_as_missing_time_zone(api):
    soon = (datetime.now(UTC) + timedelta(hours=14)).isoformat()
    answer = api.post("/v1/mooc/events", json=GOOD | {"enrolled_at": soon})
    assert answer.json()["error"]["code"] == "kafka_unavailable", "it was checked, and only the broker is away"


def test_invalid_json_is_rejected(api):
    answer = api.post("/v1/mooc/events", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "bad_json"


@pytest.mark.parametrize(("path", "body"), [("/v1/mooc/events", GOOD), ("/v1/shop/events", [PURCHASE] * 3)])
def test_unavailable_broker_is_reported_with_advice_to_resend(api, path, body):
    answer = api.post(path, json=body)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "kafka_unavailable"
    assert "send them again" in answer.json()["error"]["message"]


def test_workloads_without_recommender_accept_no_events(api):
    assert api.post("/v1/courses/events", json=GOOD).status_code == 404
    assert api.get("/v1/mooc/events").status_code == 405
