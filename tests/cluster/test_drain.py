"""An executor on a node that is emptied hands its blocks to the others before it goes."""

import json

import pytest

from tests.cluster.release import Release
from tests.cluster.tools import wait

NAME = "drained"
PARTS = 8
SCRIPT = f"""
import time
from pyspark.sql import SparkSession

context = SparkSession.builder.getOrCreate().sparkContext
java = context._jsc.sc()
kept = context.parallelize(range(80_000), {PARTS}).map(lambda number: number * number).persist()


def executors():
    listed = java.getExecutorMemoryStatus().keys().toString()
    return set(listed.partition("(")[2].rstrip(")").split(", "))


while len(executors()) < 3:
    time.sleep(0.5)
kept.count()
before = executors()
print("holds", java.getRDDStorageInfo()[0].numCachedPartitions(), flush=True)
until = time.monotonic() + 240
while before <= executors() and time.monotonic() < until:
    time.sleep(0.5)
time.sleep(2)
print("one is gone" if not before <= executors() else "nobody went", flush=True)
print("still holds", java.getRDDStorageInfo()[0].numCachedPartitions(), flush=True)
"""


@pytest.mark.thorough
def test_blocks_of_executor_on_drained_node_migrate_to_another_executor(served: Release):
    application = served.get("sparkapplication", "millrace-train-products")
    spec = {key: value for key, value in application["spec"].items() if key not in ("dynamicAllocation", "suspend")}
    mount = {"name": "script", "mountPath": "/etc/script"}
    spec |= {
        "mainApplicationFile": "local:///etc/script/drain.py",
        "arguments": [],
        "restartPolicy": {"type": "Never"},
        "volumes": [*spec["volumes"], {"name": "script", "configMap": {"name": NAME}}],
        "driver": spec["driver"] | {"volumeMounts": [*spec["driver"]["volumeMounts"], mount]},
        "executor": spec["executor"] | {"instances": 2},
    }
    served.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"drain.py": SCRIPT}},
        {
            "apiVersion": application["apiVersion"],
            "kind": application["kind"],
            "metadata": {"name": NAME},
            "spec": spec,
        },
    )
    try:
        wait("the blocks", 300, lambda: f"holds {PARTS}" in read_log(served), 1)
        selector = f"spark-role=executor,sparkoperator.k8s.io/app-name={NAME}"
        pod = served.pods(selector)[0]
        assert "preStop" in json.dumps(served.get("pod", pod)["spec"]["containers"][0]["lifecycle"])
        # As an eviction does: with its grace, hook included.
        served.kubectl("delete", "pod", pod, "--wait=false")
        wait("the end of the executor", 300, lambda: "still holds" in read_log(served), 1)
        assert "one is gone" in read_log(served)
        assert f"still holds {PARTS}" in read_log(served)
    finally:
        served.kubectl("delete", "sparkapplication", NAME, "--wait=false")
        served.kubectl("delete", "configmap", NAME)


def read_log(release: Release) -> str:
    """What the driver printed."""
    return release.kubectl("logs", f"{NAME}-driver")
