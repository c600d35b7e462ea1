"""Ingest, Kafka, Connect, object storage, Spark, registry and API: all in pods, asked from outside."""

import re

import pytest

from tests.cluster.release import WORKLOADS, Release
from tests.cluster.standin.operator import Operator
from tests.cluster.tools import wait


def test_operators_accept_every_chart_resource(release: Release, operators: Operator | None):
    assert operators is None or operators.refused == {}
    for kind in ("kafka", "kafkatopic", "kafkauser", "kafkaconnect", "kafkaconnector"):
        result = release.all(kind)
        assert result, kind
        for item in result:
            assert release.condition(kind, item["metadata"]["name"]), item["metadata"]["name"]


def test_every_accepted_row_is_in_the_lake_once(release: Release, filled: dict[str, dict]):
    for workload, counts in filled.items():
        result = release.audit(workload)
        assert result["rows"] == result["places"] == result["wanted"] >= counts["accepted"]


def test_spark_application_trains_and_api_answers_from_outside(served: Release):
    answer = served.ask()
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "courses/popularity"
    assert answer.json()["version"] == served.champion()


def test_training_started_before_its_rows_waits_for_them_in_one_attempt(served: Release):
    if not served.trains_first:
        pytest.skip("this release began with the former chart, or was there before")
    for workload in WORKLOADS:
        status = served.get("sparkapplication", f"millrace-train-{workload}")["status"]
        assert status["executionAttempts"] == 1
        output = served.kubectl("logs", f"millrace-train-{workload}-driver")
        assert re.search(r"waiting, \d+ of 3600 s so far: The lake (has no table|holds no record)", output)
        assert output.index("waiting, ") < output.index("starting Spark")


def test_helm_test_passes(served: Release):
    assert "Phase:          Succeeded" in served.helm("test")


def test_repeated_ingest_publishes_nothing(served: Release):
    before = served.audit("courses")
    assert served.ingest("again", "courses", 3000, 7)["already"]
    assert served.audit("courses") == before


@pytest.mark.thorough
def test_schedule_compacts_lake_and_keeps_its_rows(served: Release):
    before = served.audit("courses")
    served.deploy("--set", "training.suspend=false,compaction.suspend=false", "--set", "compaction.schedule=* * * * *")

    def run() -> str:
        names = [one["metadata"]["name"] for one in served.all("sparkapplication")]
        return next((name for name in names if name.startswith("millrace-compact-")), "")

    served.trained(wait("a run of the schedule", 120, run, 2))
    served.deploy("--set", "training.suspend=false")
    assert served.audit("courses") == before


def test_all_pods_are_restricted(served: Release):
    """The namespace enforces it, so that they are there is the proof; none asked for more and was refused."""
    refused = [event["message"] for event in served.all("event") if "violates PodSecurity" in event.get("message", "")]
    assert refused == []
