"""The stand-in for the operators refuses what it does not honour. These need no cluster."""

import copy
from datetime import UTC, datetime

import pytest

from tests.cluster.standin import spark_submit
from tests.cluster.standin.fields import Refused, Section, whole
from tests.cluster.standin.scheduled import following
from tests.cluster.standin.spark import Applications

APPLICATION = {
    "apiVersion": "sparkoperator.k8s.io/v1beta2",
    "kind": "SparkApplication",
    "metadata": {"name": "train", "uid": "1"},
    "spec": {
        "type": "Python",
        "mode": "cluster",
        "image": "localhost/spark:dev",
        "mainApplicationFile": "local:///opt/train.py",
        "arguments": ["courses"],
        "restartPolicy": {"type": "OnFailure", "onFailureRetries": 2, "onFailureRetryInterval": 5},
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "spark-local-dir-1", "emptyDir": {"sizeLimit": "1Gi"}}],
        "driver": {"cores": 1, "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
        "executor": {"instances": 2, "volumeMounts": [{"name": "spark-local-dir-1", "mountPath": "/var/spark"}]},
    },
}


def test_unhandled_field_is_rejected_by_name():
    resource = {"kind": "Kafka", "metadata": {"name": "r"}, "spec": {"known": 1, "surprise": 2}}
    with pytest.raises(Refused, match=r"Kafka r\.spec: the stand-in does not know surprise"), whole(resource) as spec:
        spec.take("known")


def test_unsupported_value_is_rejected_with_supported_one():
    with pytest.raises(Refused, match=r"spec\.type is 'nodeport'; the stand-in runs 'internal'"):
        Section({"type": "nodeport"}, "spec").only("type", "internal")


def test_application_is_translated_to_arguments_and_pod_templates():
    application = spark_submit.read(copy.deepcopy(APPLICATION), "space")
    arguments = application.arguments()
    assert arguments[-2:] == ["local:///opt/train.py", "courses"]
    assert "spark.executor.instances=2" in arguments
    assert "spark.kubernetes.executor.volumes.emptyDir.spark-local-dir-1.mount.path=/var/spark" in arguments
    assert application.retries["onFailureRetries"] == 2


def test_always_policy_differs_from_limited_retries_and_requires_intervals():
    application = copy.deepcopy(APPLICATION)
    assert not spark_submit.read(copy.deepcopy(application), "space").always
    policy = {"type": "Always", "onFailureRetryInterval": 10, "onSubmissionFailureRetryInterval": 20}
    application["spec"]["restartPolicy"] = policy
    assert spark_submit.read(copy.deepcopy(application), "space").always
    del policy["onSubmissionFailureRetryInterval"]
    with pytest.raises(Refused, match="onSubmissionFailureRetryInterval"):
        spark_submit.read(application, "space")


class Remembered:
    """The calls of a Kube by which Applications moves on, on a dictionary."""

    namespace = "space"

    def __init__(self, phase: str):
        self.pods = [{"metadata": {"name": "train-driver", "labels": {}}, "status": {"phase": phase}}]
        self.made: list[str] = []

    def list(self, kind: str, selector: str = "") -> list[dict]:
        return self.pods if kind == "Pod" and "executor" not in selector else []

    def get(self, kind: str, name: str) -> dict | None:
        return next((pod for pod in self.pods if kind == "Pod"), None)

    def delete(self, kind: str, name: str) -> None:
        self.pods = []

    def apply(self, resource: dict) -> None:
        self.made.append(resource["kind"])

    def status(self, resource: dict, status: dict) -> None:
        resource["status"] = (resource.get("status") or {}) | status


@pytest.mark.parametrize(
    ("kind", "phase", "states"),
    [
        ("Always", "Succeeded", ["SUCCEEDING", "PENDING_RERUN", "SUBMITTED"]),
        ("Always", "Failed", ["FAILING", "PENDING_RERUN", "SUBMITTED"]),
        ("OnFailure", "Succeeded", ["COMPLETED", "COMPLETED"]),
        ("OnFailure", "Failed", ["FAILED", "FAILED"]),
    ],
)
def test_finished_driver_restarts_forever_only_under_always_policy(kind: str, phase: str, states: list):
    application = copy.deepcopy(APPLICATION)
    application["metadata"]["generation"] = 1
    application["spec"]["restartPolicy"] |= {"type": kind, "onSubmissionFailureRetryInterval": 20}
    # As often as an OnFailure may be tried, and an hour ago, so that no pause is left.
    attempts = {"executionAttempts": 3, "submissionAttempts": 3, "lastSubmissionAttemptTime": "2026-01-01T00:00:00Z"}
    application["status"] = attempts | {"applicationState": {"state": "RUNNING"}, "driverInfo": {}}
    kube = Remembered(phase)
    applications, seen = Applications(kube), []
    for _ in states:
        applications.reconcile(application)
        seen.append(application["status"]["applicationState"]["state"])
    assert seen == states
    assert ("Job" in kube.made) == (kind == "Always")


def test_schedule_runs_in_its_own_time_zone():
    after = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert following("30 3 * * *", "UTC", after) == datetime(2026, 7, 2, 3, 30, tzinfo=UTC)
    assert following("30 3 * * *", "Europe/Paris", after) == datetime(2026, 7, 2, 1, 30, tzinfo=UTC)
    with pytest.raises(Refused, match="nonsense"):
        following("nonsense", "UTC", after)


@pytest.mark.parametrize("position", [(), ("driver",), ("executor",), ("restartPolicy",)])
def test_unknown_application_field_is_rejected(position: tuple[str, ...]):
    application = copy.deepcopy(APPLICATION)
    part = application["spec"]
    for name in position:
        part = part[name]
    part["sidecars"] = []
    with pytest.raises(Refused, match="sidecars"):
        spark_submit.read(application, "space")
