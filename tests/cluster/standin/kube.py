"""The API server as plain JSON, through `kubectl proxy`, so that any kubeconfig will do."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import httpx

OWNER = "millrace-standin"
# Where the API server serves a kind, and what it calls it in addresses.
KINDS = {
    "Namespace": ("api/v1", "namespaces"),
    "Pod": ("api/v1", "pods"),
    "Service": ("api/v1", "services"),
    "Secret": ("api/v1", "secrets"),
    "ConfigMap": ("api/v1", "configmaps"),
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "PersistentVolume": ("api/v1", "persistentvolumes"),
    "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims"),
    "StatefulSet": ("apis/apps/v1", "statefulsets"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "Job": ("apis/batch/v1", "jobs"),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "StorageClass": ("apis/storage.k8s.io/v1", "storageclasses"),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "Kafka": ("apis/kafka.strimzi.io/v1", "kafkas"),
    "KafkaNodePool": ("apis/kafka.strimzi.io/v1", "kafkanodepools"),
    "KafkaTopic": ("apis/kafka.strimzi.io/v1", "kafkatopics"),
    "KafkaUser": ("apis/kafka.strimzi.io/v1", "kafkausers"),
    "KafkaConnect": ("apis/kafka.strimzi.io/v1", "kafkaconnects"),
    "KafkaConnector": ("apis/kafka.strimzi.io/v1", "kafkaconnectors"),
    "ScheduledSparkApplication": ("apis/sparkoperator.k8s.io/v1beta2", "scheduledsparkapplications"),
    "SparkApplication": ("apis/sparkoperator.k8s.io/v1beta2", "sparkapplications"),
}
CLUSTER_WIDE = {"Namespace", "PersistentVolume", "StorageClass"}


class Kube:
    """One namespace of the cluster that kubectl is set to."""

    def __init__(self, namespace: str):
        self.namespace = namespace
        self._proxy = subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True)
        address = self._proxy.stdout.readline().strip().rpartition(" ")[2]
        self.http = httpx.Client(base_url=f"http://{address}", timeout=30)

    def close(self) -> None:
        self.http.close()
        self._proxy.terminate()
        self._proxy.wait()
        self._proxy.stdout.close()

    def _path(self, kind: str, name: str = "") -> str:
        group, plural = KINDS[kind]
        position = "" if kind in CLUSTER_WIDE else f"/namespaces/{self.namespace}"
        return f"/{group}{position}/{plural}" + (f"/{name}" if name else "")

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """All of a kind, each with its kind, which lists leave out."""
        answer = self.http.get(self._path(kind), params={"labelSelector": selector} if selector else None)
        answer.raise_for_status()
        return [item | {"kind": kind} for item in answer.json()["items"]]

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        answer = self.http.get(self._path(kind, name))
        if answer.status_code == 404:
            return None
        return answer.raise_for_status().json()

    def apply(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Server-side apply; the API server's own words when it refuses."""
        resource["metadata"].setdefault("namespace", self.namespace)
        kind, name = resource["kind"], resource["metadata"]["name"]
        answer = self.http.patch(
            self._path(kind, name),
            params={"fieldManager": OWNER, "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=json.dumps(resource),
        )
        if not answer.is_success:
            raise RuntimeError(f"{kind} {name}: {answer.json().get('message', answer.text)}")
        return answer.json()

    def status(self, resource: dict[str, Any], status: dict[str, Any]) -> None:
        """Merge into .status; a resource that has gone meanwhile is left gone."""
        answer = self.http.patch(
            self._path(resource["kind"], resource["metadata"]["name"]) + "/status",
            headers={"Content-Type": "application/merge-patch+json"},
            content=json.dumps({"status": status}),
        )
        if answer.status_code != 404:
            answer.raise_for_status()

    def delete(self, kind: str, name: str) -> None:
        answer = self.http.delete(self._path(kind, name), params={"propagationPolicy": "Background"})
        if answer.status_code != 404:
            answer.raise_for_status()

    def service(self, method: str, service: str, path: str, **options: Any) -> httpx.Response:
        """Ask a service from outside, by way of the API server. `service` is name:port."""
        position = f"/api/v1/namespaces/{self.namespace}/services/{service}/proxy{path}"
        return self.http.request(method, position, **options)

    def run(self, target: str, *command: str, parameters: str = "") -> str:
        """Run a command in a pod (or the first of a deployment) and return what it prints."""
        kubectl = ["kubectl", "-n", self.namespace, "exec", "-i", target, "--", *command]
        done = subprocess.run(kubectl, input=parameters, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)[:60]} in {target}: {(done.stderr or done.stdout)[-1500:]}")
        return done.stdout
