"""Every value that Terraform gives to the chart exists in it, and the chart takes them together."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.render import helm, render
from tests.terraform.conftest import ROOT, terraform

CHART = ROOT / "charts/millrace"
needs_helm = pytest.mark.skipif(helm() is None, reason="helm is not installed (`make helm`)")


def evaluated(kind: str, folder: Path, **variables: Any) -> dict[str, Any]:
    """`local.settings` of terraform/<kind>, which Terraform can work out without any provider."""
    for name in ("settings.tf", "variables.tf"):
        shutil.copy(ROOT / "terraform" / kind / name, folder)
    parameters = [
        f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in variables.items()
    ]
    return json.loads(json.loads(terraform("console", *parameters, folder=folder, text="jsonencode(local.settings)\n")))


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Helm's way: tables are merged, everything else is replaced."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def unknown(settings: dict[str, Any], values: dict[str, Any], path: str = "") -> list[str]:
    """Paths of settings that values.yaml does not have. An empty table there may be filled with anything."""
    results = []
    for key, value in settings.items():
        if key not in values:
            results.append(f"{path}{key}")
        elif isinstance(value, dict) and values[key]:
            results += unknown(value, values[key], f"{path}{key}.")
    return results


def values() -> dict[str, Any]:
    return yaml.safe_load((CHART / "values.yaml").read_text())


CASES = {
    "kind": ("kind", {}),
    "kind-registry": ("kind", {"image_registry": "registry.example.com", "image_tag": "1.2.3"}),
    "aws": ("aws", {"api_access_cidrs": ["203.0.113.7/32"]}),
    "aws-gateway": ("aws", {"api_access_cidrs": [], "hostnames": ["millrace.example.com"], "monitoring": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_root_module_settings_exist_in_chart(engines, case: str, tmp_path: Path):
    kind, variables = CASES[case]
    settings = evaluated(kind, tmp_path, **variables)

    assert settings
    assert not unknown(settings, values())


@needs_helm
def test_kind_installs_kind_profile_with_local_images(engines, tmp_path: Path):
    parts = render(evaluated("kind", tmp_path), "kind")
    (api,) = [part for part in parts if part["kind"] == "Deployment" and part["metadata"]["name"] == "millrace-api"]
    (container,) = api["spec"]["template"]["spec"]["containers"]

    assert container["image"].startswith("localhost/millrace-api:")
    assert container["imagePullPolicy"] == "Never"


@needs_helm
@pytest.mark.parametrize(("msk", "rds"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("case", ["aws", "aws-gateway"])
def test_aws_outputs_merged_with_root_settings_render_installable_chart(
    made: dict[str, Any], tmp_path: Path, case: str, msk: bool, rds: bool
):
    parameters = dict(made["settings"])
    if not msk:
        parameters["kafka"] = {"rack": {"topologyKey": "topology.kubernetes.io/zone"}}
    if not rds:
        parameters["catalog"] = {"external": {"enabled": False, "jdbc": "", "user": "", "existingSecret": ""}}
    settings = merged(parameters, evaluated("aws", tmp_path, **CASES[case][1]))

    assert not unknown(settings, values())
    parts = render(settings, "production")
    kinds = {part["kind"] for part in parts}
    assert ("Kafka" in kinds) is not msk
    assert ("HTTPRoute" in kinds) is (case == "aws-gateway")
    assert ("ServiceMonitor" in kinds) is (case == "aws-gateway")


@needs_helm
def test_service_accounts_with_roles_exist_in_chart(made: dict[str, Any], aws: Any):
    parts = render(made["settings"], "production")
    accounts = {part["metadata"]["name"] for part in parts if part["kind"] == "ServiceAccount"}
    # Strimzi makes that of Connect itself.
    accounts |= {f"{part['metadata']['name']}-connect" for part in parts if part["kind"] == "KafkaConnect"}
    known = aws.client("eks").list_pod_identity_associations(clusterName="trial")["associations"]

    assert {a["serviceAccount"] for a in known if a["namespace"] == "millrace"} - {"millrace-ingest"} <= accounts
