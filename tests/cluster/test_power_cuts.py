"""Pods die without a word, as in a power cut, while rows flow and callers ask."""

import threading

import pytest

from tests.cluster.release import Release
from tests.cluster.tools import wait
from tests.cluster.under_load import asked

CONNECT = "strimzi.io/kind=KafkaConnect,strimzi.io/cluster=millrace"
BROKER = "strimzi.io/kind=Kafka,strimzi.io/pool-name=broker"
API = "app.kubernetes.io/component=api,app.kubernetes.io/instance=millrace"
APPLICATION = "millrace-train-courses"
# Other applications, such as a schedule's, have drivers too.
TRAINING = f"sparkoperator.k8s.io/app-name={APPLICATION}"


def test_killed_api_pod_fails_no_request_that_client_retries(served: Release):
    least(served, 2)
    with asked(served.address(), 4, patient=True) as counted:
        killed = served.kill(API)
        wait("another pod", 120, lambda: killed not in served.pods(API) and len(served.pods(API)) >= 2)
        served.kubectl("rollout", "status", "deployment/millrace-api", "--timeout=120s")
    least(served, 1)
    assert counted["failed"] == []
    assert counted["answers"] > 100


@pytest.mark.thorough
@pytest.mark.parametrize("selector", [CONNECT, BROKER], ids=["connect", "broker"])
def test_killed_pod_on_path_to_lake_loses_and_duplicates_no_rows(served: Release, selector: str):
    before = served.audit("courses")["rows"]
    counts: dict = {}
    # As many rows as there are make the seed: other rows each time.
    ingest = threading.Thread(target=lambda: counts.update(served.ingest("slow", "courses", 6000, before, "200/s")))
    ingest.start()
    wait("the first rows of the ingest", 180, lambda: served.audit("courses")["rows"] > before, 0.5)
    served.kill(selector)
    ingest.join(timeout=400)
    assert counts, "the ingest did not end"
    result = served.landed("courses", before + counts["accepted"])
    # A batch whose acknowledgement was lost is sent again and gets places of its own; no place is in the lake twice.
    assert result["rows"] == result["places"] == result["wanted"]


@pytest.mark.thorough
def test_killed_driver_restarts_and_killed_executor_fails_no_training(served: Release):
    served.kubectl("delete", "sparkapplication", APPLICATION)
    wait("the end of the former pods", 120, lambda: not served.all("pod", TRAINING))
    served.deploy("--set", "training.suspend=false")
    # Only a driver that the operator has seen run counts as an attempt.
    wait("the driver", 300, lambda: state(served) == "RUNNING", 0.5)
    served.kill(f"spark-role=driver,{TRAINING}")
    wait("the second attempt", 300, lambda: attempts(served) == 2, 0.5)
    executor = f"spark-role=executor,{TRAINING}"
    wait("an executor", 300, lambda: running(served, executor), 0.5)
    served.kill(executor)
    served.trained()
    assert attempts(served) == 2


def state(release: Release) -> str:
    return release.get("sparkapplication", APPLICATION)["status"]["applicationState"]["state"]


def attempts(release: Release) -> int:
    return release.get("sparkapplication", APPLICATION)["status"]["executionAttempts"]


def least(release: Release, pods: int) -> None:
    """The autoscaler keeps at least so many pods of the API, and they are there."""
    release.kubectl("patch", "hpa", "millrace-api", "-p", f'{{"spec": {{"minReplicas": {pods}}}}}')
    wait("the pods", 120, lambda: len(release.pods(API)) >= pods)
    release.kubectl("rollout", "status", "deployment/millrace-api", "--timeout=120s")


def running(release: Release, selector: str) -> bool:
    return any(pod["status"]["phase"] == "Running" for pod in release.all("pod", selector))
