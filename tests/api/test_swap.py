"""New champions are taken up without a restart, a failed request or a moment without a model."""

import threading

import httpx
import orjson
import pytest

from millrace.registry.registry import champion_key
from tests.api.conftest import new_bucket
from tests.api.server import serving
from tests.registry.made import made
from tests.registry.servers import s3_server

ROW = {"num_subscribers": 10000, "num_reviews": 300, "num_lectures": 40, "content_duration": 4.5}
MODEL = ("courses", "popularity")
NAME = "/".join(MODEL)


def publish(registry, seed: int) -> str:
    return registry.publish(*made(*MODEL, seed)).version


@pytest.fixture(scope="module")
def real_s3(engines, tmp_path_factory):
    with s3_server("s3proxy", tmp_path_factory.mktemp("s3")) as variables:
        yield variables


@pytest.fixture
def fresh(real_s3):
    """Settings of an empty registry of one test's own, on a real server."""
    return new_bucket(real_s3)


@pytest.fixture
def server(fresh, registry, tmp_path):
    """A server that serves version 1 of one model."""
    registry.promote(*MODEL, publish(registry, 1))
    with serving(fresh, tmp_path, "/health/ready") as result:
        yield result


def served(server) -> str:
    return server.client.post("/course_popularity", json=ROW).json()["version"]


def test_no_request_fails_during_swaps_under_constant_load(server, registry):
    stop, answers = threading.Event(), []

    def ask() -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not stop.is_set():
                answer = client.post("/course_popularity", json=ROW)
                answers.append((answer.status_code, answer.json().get("version")))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    versions = [registry.champion(*MODEL).version]
    for seed in range(2, 8):
        versions.append(publish(registry, seed))
        registry.promote(*MODEL, versions[-1])
        server.serves(NAME, versions[-1])
    stop.set()
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} == {200}
    assert {version for _, version in answers} == set(versions)
    assert len(answers) > 100
    assert f'millrace_champion_swaps_total{{model="{NAME}"}} 7.0' in server.client.get("/metrics").text


def test_rollback_is_also_picked_up(server, registry):
    first = served(server)
    second = publish(registry, 2)
    registry.promote(*MODEL, second)
    server.serves(NAME, second)
    registry.rollback(*MODEL)
    server.serves(NAME, first)
    assert served(server) == first


@pytest.mark.parametrize(
    "damage", ["truncated array", "wrong checksum", "another format", "no such version", "no JSON"]
)
def test_invalid_champion_is_rejected_and_current_one_stays_served(server, registry, damage):
    """Promotion refuses these; here they happen after it, or past it."""
    first, second = served(server), publish(registry, 2)
    folder = f"models/courses/popularity/{second}"
    manifest = orjson.loads(registry.store.get(f"{folder}/manifest.json")[0])
    sentence = {
        "truncated array": "mean.npy has the checksum",
        "wrong checksum": "scale.npy has the checksum",
        "another format": "format 'other/2'",
        "no such version": "champion.json names a version that is not there",
        "no JSON": "champion.json can't be read",
    }[damage]
    if damage == "truncated array":
        registry.store.put(f"{folder}/mean.npy", registry.store.get(f"{folder}/mean.npy")[0][:-3])
    elif damage == "wrong checksum":
        manifest["arrays"]["scale"]["sha256"] = "0" * 64
    elif damage == "another format":
        manifest["format"] = "other/2"
    registry.store.put(f"{folder}/manifest.json", orjson.dumps(manifest))
    version = "20200101T000000Z-00000000" if damage == "no such version" else second
    content = orjson.dumps({"version": version, "promoted_at": "now", "previous": first, "history": [first]})
    registry.store.put(champion_key(*MODEL), b"{" if damage == "no JSON" else content)
    while NAME not in (ready := server.wait_until("/health/ready").json())["faults"]:
        pass
    assert sentence in ready["faults"][NAME]
    assert ready["models"][NAME] == first
    assert served(server) == first
    assert f'millrace_champion_refused_total{{model="{NAME}"}} 1.0' in server.client.get("/metrics").text
    assert sentence in server.log
    # A later good champion is taken up as ever, and the fault is forgotten.
    third = publish(registry, 3)
    etag = registry.store.get(champion_key(*MODEL))[1]
    content = orjson.dumps({"version": third, "promoted_at": "now", "previous": first, "history": [first]})
    registry.store.put_if_match(champion_key(*MODEL), content, etag)
    server.serves(NAME, third)
    assert server.client.get("/health/ready").json()["faults"] == {}


def test_response_before_first_champion_explains_how_to_train_one(fresh, registry, tmp_path):
    with serving(fresh, tmp_path) as server:
        ready = server.wait_until("/health/ready", 503)
        server.wait_until("/health/live")
        answer = server.client.post("/course_popularity", json=ROW)
        assert answer.status_code == 503
        assert "millrace train courses" in answer.json()["error"]["message"]
        assert answer.json()["error"]["code"] == "no_champion"
        assert ready.json()["error"]["message"].startswith("Not ready: ")
        assert server.client.post("/course_popularity", json={}).status_code == 422
        version = publish(registry, 1)
        registry.promote(*MODEL, version)
        server.serves(NAME, version)
        assert served(server) == version
