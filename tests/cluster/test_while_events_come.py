"""While events come: a posted one changes what is recommended, and each page is scored once, whatever is killed."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.release import Release
from tests.cluster.tools import wait

pytestmark = pytest.mark.thorough

LIVE = Path(__file__).with_name("live.yaml")
FOLLOWED = ("mooc", "urls")
STREAM = "millrace-stream-urls"
DRIVER = f"spark-role=driver,sparkoperator.k8s.io/app-name={STREAM}"
UPDATER = "app.kubernetes.io/component=online,app.kubernetes.io/instance=millrace"
BEGUN = "2020-03-01 10:00:00"


@pytest.fixture(scope="module")
def live(served: Release) -> Iterator[Release]:
    """The release with two workloads that follow their streams, each with a champion; the stream of pages runs."""
    served.more = [LIVE]
    try:
        served.deploy()
        for workload in FOLLOWED:
            wait("sink", 300, lambda name=workload: served.condition("kafkaconnector", f"lake-{name}"))
        for workload in FOLLOWED:
            job = served.all("job", f"millrace.io/ingest={workload}")[0]["metadata"]["name"]
            served.landed(workload, served.finished(job)["accepted"])
        served.train(*FOLLOWED)
        served.deploy("--set", "stream.suspend=false")
        served.serves()
        served.kubectl("rollout", "status", "deployment/millrace-online", "--timeout=180s")
        wait("the champions in the API", 60, lambda: {"mooc/recommendations", "urls/pages"} <= set(served.champions()))
        yield served
    finally:
        # What comes after this file is about the other workloads, and has the processor to itself.
        served.more = []
        served.kubectl("delete", "pod", "toolbox-stream", "--ignore-not-found", "--wait=false")
        served.deploy()


def post(release: Release, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """The positions of accepted events."""
    answer = httpx.post(f"{release.address()}/v1/mooc/events", json=list(events), timeout=20)
    assert answer.status_code == 202, answer.text
    return answer.json()["positions"]


def ask(release: Release, path: str) -> dict[str, Any]:
    answer = httpx.get(f"{release.address()}{path}", timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def total(release: Release, user: str) -> int:
    return ask(release, f"/v1/mooc/history/{user}")["total"]


def test_operators_accept_every_resource(live: Release, operators):
    assert operators is None or operators.refused == {}
    for kind in ("kafkatopic", "kafkauser", "kafkaconnector"):
        for item in live.all(kind):
            name = item["metadata"]["name"]
            wait(name, 120, lambda kind=kind, name=name: live.condition(kind, name))


def test_posted_event_changes_recommendations(live: Release):
    user = "U_of_the_cluster"
    before = ask(live, f"/v1/mooc/recommendations/{user}")
    assert before["fallback"] == "popularity"
    taken = [item["id"] for item in before["items"][:2]]
    post(live, *({"user_id": user, "course_id": course, "enrolled_at": BEGUN} for course in taken))
    after = wait("the change", 60, lambda: changed(ask(live, f"/v1/mooc/recommendations/{user}")), 0.2)
    assert not set(taken) & {item["id"] for item in after["items"]}


def changed(answer: dict[str, Any]) -> dict[str, Any] | None:
    return answer if answer["fallback"] is None else None


def test_event_counts_once_despite_killed_updater_and_repeated_post(live: Release):
    user, courses = "U_of_the_kill", [item["id"] for item in ask(live, "/v1/mooc/popular?n=4")["items"]]
    events = [{"user_id": user, "course_id": course, "enrolled_at": BEGUN} for course in courses]
    post(live, *events[:2])
    killed = live.kill(UPDATER)
    # Once more, as a caller does who did not get the answer.
    first, again = post(live, *events[2:]), post(live, *events[2:])
    assert [one["record_id"] for one in first] == [one["record_id"] for one in again]
    wait("another updater", 120, lambda: live.pods(UPDATER) and killed not in live.pods(UPDATER))
    wait("all events", 120, lambda: total(live, user) >= len(courses), 0.5)
    # One that comes last says that what came before it is counted.
    post(live, {"user_id": user, "course_id": courses[0], "enrolled_at": "2020-03-02 10:00:00"})
    wait("the last event", 60, lambda: total(live, user) > len(courses), 0.5)
    assert total(live, user) == len(courses) + 1


def test_every_page_is_scored_once_despite_driver_killed_mid_stream(live: Release):
    before = scored(live, 1)["rows"]
    ingest = threading.Thread(target=lambda: live.ingest("pages", "urls", 4000, before, "100/s"))
    ingest.start()
    attempts = live.get("sparkapplication", STREAM)["status"]["executionAttempts"]
    wait("the first pages of the ingest", 180, lambda: live.pages("urls")["rows"] > before, 1)
    live.kill(DRIVER)
    wait("the driver again", 300, lambda: running(live) and attempt(live) > attempts, 1)
    ingest.join(timeout=400)
    result = scored(live, before + 1)
    assert result["records"] == result["rows"] == result["places"] == result["messages"] == result["keys"]
    assert result["apart"] == 0


def scored(release: Release, least: int) -> dict[str, int]:
    """What became of the pages, when all records are in the table and in the topics."""

    def probe() -> dict[str, int] | None:
        result = release.pages("urls")
        return result if min(result["rows"], result["messages"]) >= max(result["records"], least) else None

    return wait("all pages scored", 300, probe, 2)


def attempt(release: Release) -> int:
    return release.get("sparkapplication", STREAM)["status"]["executionAttempts"]


def running(release: Release) -> bool:
    return release.get("sparkapplication", STREAM)["status"]["applicationState"]["state"] == "RUNNING"


def test_api_shows_clusters_of_all_pages(live: Release):
    pages = scored(live, 1)["rows"]
    clusters = wait("the board", 60, lambda: shown(ask(live, "/v1/urls/clusters")["clusters"], pages), 0.5)
    assert all(cluster["label"] for cluster in clusters)


def shown(clusters: list[dict[str, Any]], pages: int) -> list[dict[str, Any]] | None:
    return clusters if sum(cluster["size"] for cluster in clusters) == pages else None
