"""Upgrade, rollback and uninstall: what stays, stays. Runs last, since at its end the release is gone."""

import json

import pytest

from tests.cluster.release import Release
from tests.cluster.tools import run, wait


def test_an_upgrade_and_a_rollback_keep_data_and_models(served: Release):
    rows, champion = served.audit("courses")["rows"], served.champion()
    passwords = {name: served.get("secret", name)["data"] for name in ("millrace-catalog", "millrace-s3")}
    revision = int(json.loads(served.helm("history", "-o", "json"))[-1]["revision"])
    served.deploy("--set", "api.bodyLimit=1000000,connect.commitIntervalSeconds=3,training.suspend=false")
    _unchanged(served, rows, champion, passwords)
    served.helm("rollback", str(revision), "--timeout", "10m")
    _unchanged(served, rows, champion, passwords)
    assert served.landed("courses", rows + served.ingest("after", "courses", 500, 31)["accepted"])


def _unchanged(release: Release, rows: int, champion: str, passwords: dict) -> None:
    release.kubectl("rollout", "status", "deployment/millrace-api", "--timeout=180s")
    wait("the sink", 120, lambda: release.condition("kafkaconnector", "lake-courses"))
    assert release.audit("courses")["rows"] == rows
    assert release.champion() == champion
    assert release.ask().status_code == 200
    assert {name: release.get("secret", name)["data"] for name in passwords} == passwords


def test_a_path_that_a_network_policy_forbids_is_closed(served: Release):
    """A pod without our labels must not reach the catalog."""
    name = "stranger"
    image = served.get("deployment", "millrace-api")["spec"]["template"]["spec"]["containers"][0]
    code = "import socket; socket.create_connection(('millrace-catalog', 5432), 3)"
    container = image | {"command": ["python", "-c", code], "args": [], "env": [], "volumeMounts": []}
    container = {key: container[key] for key in ("name", "image", "imagePullPolicy", "command", "securityContext")}
    spec = {"restartPolicy": "Never", "containers": [container], "securityContext": {"runAsUser": 10001}}
    served.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    phase = wait(
        "the stranger's end", 60, lambda: served.get("pod", name)["status"]["phase"] in ("Succeeded", "Failed")
    )
    assert phase
    if served.get("pod", name)["status"]["phase"] == "Succeeded":
        pytest.skip("the network plugin of this cluster does not enforce NetworkPolicies")


def test_an_uninstall_leaves_the_volumes_that_it_says_it_leaves(served: Release):
    claims = {claim["metadata"]["name"] for claim in served.all("pvc")}
    assert claims == {"data-0-millrace-broker-0", "data-millrace-catalog-0", "data-millrace-minio-0"}
    rows = served.audit("courses")["rows"]
    served.helm("uninstall", "--wait", "--timeout", "5m")
    run("kubectl", "-n", served.name, "delete", "pod", "toolbox", "--wait=false")
    # What the operators made goes with its resource.
    wait("the brokers' end", 120, lambda: not served.all("pod", "strimzi.io/cluster=millrace"))
    assert {claim["metadata"]["name"] for claim in served.all("pvc")} == claims
    assert rows
