"""The operators and the kind cluster: one truth for `make operators`, `make kind-up` and Terraform."""

import os
import re
import subprocess
from pathlib import Path

import yaml

from tests.terraform.conftest import ROOT

OPERATORS = ROOT / "k8s/operators"
INSTALL = (OPERATORS / "install.sh").read_text()
PLATFORM = "\n".join(file.read_text() for file in (ROOT / "terraform/modules/platform").glob("*.tf"))


def test_install_sh_and_terraform_use_same_versions_and_repositories():
    by_hand = set(re.findall(r"--version (\S+)", INSTALL))
    by_terraform = set(re.findall(r'(?s)_version" \{.*?default += "([^"]+)"', PLATFORM))
    assert by_hand == by_terraform == {"1.2.0", "2.5.2"}

    assert "oci://quay.io/strimzi-helm/strimzi-kafka-operator" in INSTALL
    assert 'repository       = "oci://quay.io/strimzi-helm"' in PLATFORM
    assert "--repo https://kubeflow.github.io/spark-operator " in INSTALL
    assert 'repository       = "https://kubeflow.github.io/spark-operator"' in PLATFORM


def test_install_sh_configures_both_operators_for_chosen_namespace(tmp_path: Path):
    for tool, code in {"helm": 0, "kubectl": 0}.items():
        (tmp_path / tool).write_text(f'#!/bin/sh\necho {tool} "$@" >> {tmp_path}/calls\nexit {code}\n')
        (tmp_path / tool).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "NAMESPACE": "elsewhere"}
    subprocess.run([OPERATORS / "install.sh"], env=environment, check=True, timeout=30)

    calls = (tmp_path / "calls").read_text()
    assert "watchNamespaces={elsewhere}" in calls
    assert "spark.jobNamespaces={elsewhere}" in calls
    assert "label --overwrite namespace elsewhere pod-security.kubernetes.io/enforce=restricted" in calls


def test_operators_watch_the_same_namespace_by_default():
    strimzi = yaml.safe_load((OPERATORS / "strimzi.yaml").read_text())
    spark = yaml.safe_load((OPERATORS / "spark-operator.yaml").read_text())

    assert strimzi["watchNamespaces"] == spark["spark"]["jobNamespaces"] == ["millrace"]
    assert spark["webhook"] == {**spark["webhook"], "enable": True, "failurePolicy": "Fail"}
    for resources in (strimzi["resources"], spark["controller"]["resources"], spark["webhook"]["resources"]):
        assert resources["limits"]["memory"]


def test_kind_cluster_is_reachable_from_localhost_only():
    cluster = yaml.safe_load((ROOT / "k8s/kind/cluster.yaml").read_text())
    (node,) = cluster["nodes"]

    assert re.fullmatch(r"kindest/node:v1\.\d+\.\d+", node["image"])
    assert {port["listenAddress"] for port in node["extraPortMappings"]} == {"127.0.0.1"}
    # terraform/kind reads these keys one by one, and would silently leave out any other.
    assert set(cluster) == {"kind", "apiVersion", "name", "nodes"}
    assert set(node) == {"role", "image", "labels", "extraPortMappings"}
    for port in node["extraPortMappings"]:
        assert set(port) == {"containerPort", "hostPort", "listenAddress", "protocol"}
