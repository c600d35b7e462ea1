"""The examples of k8s/ are complete, and each is in the README."""

import re

import pytest
import yaml

from tests.chart.render import ROOT, of_kind, render
from tests.chart.test_schemas import faults

FOLDER = ROOT / "k8s/examples"
EXAMPLES = sorted(file.name for file in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_renders_with_its_documented_command(name):
    text = (FOLDER / name).read_text()
    (command,) = re.findall(r"^# helm install (.*)$", text, re.M)
    files = re.findall(r"-f (\S+)", command)
    assert files[-1] == f"k8s/examples/{name}"
    profiles = [file.removeprefix("charts/millrace/values-").removesuffix(".yaml") for file in files[:-1]]
    objects = render(yaml.safe_load(text), *profiles)
    assert [fault for item in objects for fault in faults(item)] == []
    of_kind_node = yaml.safe_load((ROOT / "charts/millrace/values-kind.yaml").read_text())["workloads"]
    chosen = yaml.safe_load(text).get("workloads", of_kind_node if "kind" in profiles else ["mooc"])
    online = {"millrace-online"} if {"mooc", "shop"} & set(chosen) else set()
    assert of_kind(objects, "Deployment").keys() == {"millrace-api"} | online


def test_every_example_is_listed_in_readme():
    named = re.findall(r"\(examples/(.*?)\)", (ROOT / "k8s/README.md").read_text())
    assert sorted(named) == EXAMPLES


def test_adapter_serves_metric_that_autoscaler_requests():
    adapter = yaml.safe_load((ROOT / "k8s/prometheus-adapter.yaml").read_text())
    values = yaml.safe_load((FOLDER / "scaled.yaml").read_text())
    (scaler,) = of_kind(render(values), "HorizontalPodAutoscaler").values()
    (metric,) = [one["pods"]["metric"]["name"] for one in scaler["spec"]["metrics"] if one["type"] == "Pods"]
    assert [rule["name"]["as"] for rule in adapter["rules"]["custom"]] == [metric]
