"""A Spark driver under the real API server: it makes its executors, and can't get at anything else by them."""

import json
from typing import Any

import pytest

from tests.cluster.release import Release
from tests.cluster.tools import Failed

ELSE = "millrace-catalog"
"""A secret that no executor has."""


def pod(labels: dict[str, str] | None = None, container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "probe-exec-1", "labels": {"spark-app-selector": "spark-1", "spark-role": "executor"}}
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    whole = {
        "serviceAccountName": "millrace-train-executor",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 185, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "executor", "image": "none", "securityContext": security} | (container or {})],
    }
    metadata |= {} if labels is None else {"labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": whole | spec}


def with_env(name: str) -> dict[str, Any]:
    return pod(container={"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}]})


def with_volume(**source: Any) -> dict[str, Any]:
    return pod(volumes=[{"name": "volume"} | source])


def object_of(kind: str, **rest: Any) -> dict[str, Any]:
    labels = {"spark-app-selector": "spark-1"}
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "probe", "labels": labels}} | rest


ALLOWED = {
    "an executor": pod(),
    "its login of the store": with_env("millrace-s3-train"),
    "a volume of its own": with_volume(persistentVolumeClaim={"claimName": "probe-exec-1-pvc-0"}),
    "the executors' configuration": object_of("ConfigMap"),
}
REFUSED = {
    "another pod": (pod({"spark-app-selector": "spark-1"}), "executors, and no other pod"),
    "a pod without labels": (pod({}), "label spark-app-selector"),
    "another account": (pod(serviceAccountName="millrace-api"), "account millrace-train-executor"),
    "a secret as a variable": (with_env(ELSE), "secrets millrace-s3-train alone"),
    "a secret as variables": (pod(container={"envFrom": [{"secretRef": {"name": ELSE}}]}), "secrets millrace-s3-train"),
    "a secret as a volume": (with_volume(secret={"secretName": ELSE}), "secrets millrace-s3-train"),
    "a secret among others": (
        with_volume(projected={"sources": [{"secret": {"name": ELSE}}]}),
        "secrets millrace-s3-train",
    ),
    "a secret for a driver of volumes": (
        with_volume(csi={"driver": "csi.example.com", "nodePublishSecretRef": {"name": ELSE}}),
        "secrets millrace-s3-train",
    ),
    "a volume of others": (with_volume(persistentVolumeClaim={"claimName": "data-millrace-0"}), "only claims"),
    "a Service": (object_of("Service", spec={"ports": [{"port": 1}]}), "cannot create resource"),
    "a Secret": (object_of("Secret"), "cannot create resource"),
}


def create(release: Release, values: dict[str, Any]) -> str:
    """Ask the API server as the trainings' driver, without making anything; returns its answer. Raises Failed."""
    user = f"--as=system:serviceaccount:{release.name}:millrace-train"
    return release.kubectl("create", "--dry-run=server", user, "-f", "-", parameters=json.dumps(values))


@pytest.mark.parametrize("what", ALLOWED)
def test_driver_can_create_what_it_needs(what: str, served: Release):
    if what == "its login of the store" and served.store == "minio":
        pytest.skip("this release began with MinIO, which has one login for all")
    assert "created (server dry run)" in create(served, ALLOWED[what])


@pytest.mark.parametrize("what", REFUSED)
def test_driver_cannot_create_anything_else(what: str, served: Release):
    item, why = REFUSED[what]
    if served.store == "minio":
        why = why.replace("millrace-s3-train", "millrace-s3")
    with pytest.raises(Failed, match=why):
        create(served, item)


@pytest.mark.parametrize("kind", ["service", "configmap", "pod"])
def test_driver_cannot_delete_resources_of_others(kind: str, served: Release):
    names = {one["metadata"]["name"] for one in served.all(kind) if "spark-app-selector" not in labels(one)}
    assert names
    user = f"--as=system:serviceaccount:{served.name}:millrace-train"
    with pytest.raises(Failed, match="label spark-app-selector"):
        served.kubectl("delete", "--dry-run=server", user, kind, min(names))


def labels(values: dict[str, Any]) -> dict[str, str]:
    return values["metadata"].get("labels") or {}
