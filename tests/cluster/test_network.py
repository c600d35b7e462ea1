"""NetworkPolicies as they are enforced: every path that a component needs is open, and every other one is closed."""

import json
from typing import Any

import pytest

from tests.cluster.release import SELECTED, Release
from tests.cluster.tools import run, wait

TARGETS = {
    "api": ("millrace", "millrace-api", 80),
    "brokers inside": ("millrace", "millrace-kafka-bootstrap", 9091),
    "catalog": ("millrace", "millrace-catalog", 5432),
    "connect": ("millrace", "millrace-connect-api", 8083),
    "kafka": ("millrace", "millrace-kafka-bootstrap", 9093),
    "kubernetes": ("default", "kubernetes", 443),
    "names": ("kube-system", "kube-dns", 53),
    "s3": ("millrace", "millrace-seaweedfs", 8333),
    "s3 of former releases": ("millrace", "millrace-minio", 9000),
}
"""Name -> (namespace, Service, port)."""
STRIMZI = {"strimzi.io/cluster": "millrace"}
SOURCES: dict[str, tuple[dict[str, str], set[str]]] = {
    # A pod without our labels: the API answers everyone, and nothing else does.
    "stranger": ({"app": "stranger"}, {"api", "kubernetes"}),
    "api": ({"app.kubernetes.io/component": "api"} | SELECTED, {"s3"}),
    "ingest": ({"app.kubernetes.io/component": "ingest"} | SELECTED, {"kafka", "s3"}),
    "provision": ({"app.kubernetes.io/component": "provision"} | SELECTED, {"catalog", "kafka", "s3"}),
    "test": ({"app.kubernetes.io/component": "test"} | SELECTED, {"api"}),
    "training": (
        {"app.kubernetes.io/component": "training"} | SELECTED,
        {"catalog", "kafka", "kubernetes", "s3"},
    ),
    "catalog": ({"app.kubernetes.io/component": "catalog"} | SELECTED, set()),
    "unnamed": ({"app.kubernetes.io/component": "new"} | SELECTED, set()),
    "broker": (
        STRIMZI | {"strimzi.io/kind": "Kafka", "strimzi.io/name": "millrace-kafka"},
        {"brokers inside", "kubernetes"},
    ),
    "entities": (
        STRIMZI | {"strimzi.io/kind": "Kafka", "strimzi.io/name": "millrace-entity-operator"},
        {"brokers inside", "kubernetes"},
    ),
    "worker": (
        STRIMZI | {"strimzi.io/kind": "KafkaConnect", "strimzi.io/name": "millrace-connect"},
        {"catalog", "connect", "kafka", "kubernetes", "s3"},
    ),
}
"""Name -> (labels of a pod, what it reaches beside names)."""
NAMELESS = {"unnamed"}

# What is forbidden is dropped in silence, so it takes the whole time. A policy takes hold of a new pod only when its
# address is known.
PROBE = """
import json, socket, sys, time
found = {}
time.sleep(8)
for name, (host, port) in json.loads(sys.argv[1]).items():
    try:
        socket.create_connection((host, port), 3).close()
        found[name] = "open"
    except OSError as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def reached(served: Release) -> dict[str, dict[str, str]]:
    """What became of every try, by source and target."""
    container = served.get("deployment", "millrace-api")["spec"]["template"]["spec"]["containers"][0]
    there = {(one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"] for one in services()}
    # By address, so that names are a target like the others.
    targets = {
        name: (there[space, service]["clusterIP"], port)
        for name, (space, service, port) in TARGETS.items()
        if (space, service) in there
    }
    served.apply(*(pod(container, name, labels, targets) for name, (labels, _) in SOURCES.items()))
    results = {}
    for name in SOURCES:
        wait(
            f"the probe {name}",
            180,
            lambda name=name: served.get("pod", f"probe-{name}")["status"]["phase"] == "Succeeded",
        )
        results[name] = json.loads(served.kubectl("logs", f"probe-{name}"))
    served.kubectl("delete", "pod", "-l", "millrace.io/probe", "--wait=false")
    return results


def services() -> list[dict[str, Any]]:
    """All Services of the cluster."""
    return json.loads(run("kubectl", "get", "services", "-A", "-o", "json"))["items"]


def pod(container: dict[str, Any], name: str, labels: dict[str, str], targets: dict[str, Any]) -> dict[str, Any]:
    """A pod that tries every target once. It is never ready, so that no Service sends it anything."""
    kept = {key: container[key] for key in ("image", "imagePullPolicy", "securityContext")}
    probe = kept | {
        "name": "probe",
        "command": ["python", "-c", PROBE, json.dumps(targets)],
        "readinessProbe": {"exec": {"command": ["false"]}, "initialDelaySeconds": 3600},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsUser": 10001, "runAsNonRoot": True},
        "containers": [probe],
    }
    metadata = {"name": f"probe-{name}", "labels": labels | {"millrace.io/probe": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("source", SOURCES)
def test_component_reaches_only_what_it_needs(reached: dict[str, dict[str, str]], source: str):
    result = reached[source]
    wanted = SOURCES[source][1] | (set() if source in NAMELESS else {"names"})
    if "s3" not in result:
        wanted = {name.replace("s3", "s3 of former releases") for name in wanted}
    assert {target for target, said in result.items() if said == "open"} == wanted, result
