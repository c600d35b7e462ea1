"""What is documented for one node fits it, whatever of it runs at once: drivers, executors and operators included."""

import re
from pathlib import Path

import pytest
import yaml

from tests.chart.render import ROOT, render
from tests.chart.requests import quantity, requests

EXAMPLES = [
    file
    for file in sorted((ROOT / "k8s/examples").glob("*.yaml"))
    if "-f charts/millrace/values-kind.yaml" in file.read_text()
]
NODE = re.compile(r"(\d+) CPUs and\s+(?:#\s+)?(\d+) GB")
# Kubernetes' own pods on a node of kind, by `kubectl describe node`: control plane, DNS, network, storage.
SYSTEM = (0.95, 0.3e9)


def node(text: str) -> tuple[float, float]:
    """(cores, bytes) of the node that a text names."""
    cpus, gigabytes = NODE.search(text).groups()
    return float(cpus), float(gigabytes) * 1e9


def operators() -> tuple[float, float]:
    """What both operators and the ingress controller ask for."""
    strimzi = yaml.safe_load((ROOT / "k8s/operators/strimzi.yaml").read_text())
    spark = yaml.safe_load((ROOT / "k8s/operators/spark-operator.yaml").read_text())
    traefik = yaml.safe_load((ROOT / "k8s/kind/traefik.yaml").read_text())
    result = [of["resources"]["requests"] for of in (strimzi, spark["webhook"], spark["controller"], traefik)]
    return sum(quantity(one["cpu"]) for one in result), sum(quantity(one["memory"]) for one in result)


def fits(values: dict, room: tuple[float, float]) -> str:
    """Empty where the pods of a release fit; else what they ask for."""
    rows = list(requests(render(values, "kind")))
    parts = [operators(), SYSTEM, *((pods * cpu, pods * memory) for _, pods, cpu, memory in rows)]
    cpu, memory = (sum(column) for column in zip(*parts, strict=True))
    listed = ", ".join(f"{pods} {name} {cpu:g} CPUs {memory / 1e9:.2f} GB" for name, pods, cpu, memory in rows)
    return "" if cpu <= room[0] and memory <= room[1] else f"{cpu:.2f} CPUs, {memory / 1e9:.2f} GB: {listed}"


DOCUMENTED = node((ROOT / "docs/kubernetes.md").read_text())


@pytest.mark.parametrize("file", ["charts/millrace/values-kind.yaml", "k8s/kind/cluster.yaml"])
def test_documented_node_size_is_consistent(file: str):
    assert node((ROOT / file).read_text()) == DOCUMENTED


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_example_fits_documented_node_or_the_one_it_states(example: Path):
    text = example.read_text()
    room = node(text) if NODE.search(text) else DOCUMENTED
    assert fits(yaml.safe_load(text), room) == ""


def test_quick_start_and_plain_profile_fit_documented_node():
    assert fits(yaml.safe_load((ROOT / "k8s/examples/generated.yaml").read_text()), DOCUMENTED) == ""
    assert fits({}, DOCUMENTED) == ""


def test_all_workloads_at_once_are_detected_as_not_fitting():
    assert "train-mooc-executor" in fits({"workloads": ["courses", "products", "mooc", "shop", "urls"]}, DOCUMENTED)
