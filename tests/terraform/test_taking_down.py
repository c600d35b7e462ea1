"""Changes of mind, and the end: run last, because it takes down what the other files look at."""

import json
from typing import Any

import pytest

from tests.terraform.conftest import Aws

pytestmark = pytest.mark.thorough


def changed(plan: dict[str, Any]) -> dict[str, list[str]]:
    """Addresses of what a plan would change, with what it would do to them."""
    actions = {change["address"]: change["change"]["actions"] for change in plan["resource_changes"]}
    return {address: what for address, what in actions.items() if what not in (["no-op"], ["read"])}


def test_second_apply_changes_nothing(aws: Aws, made: dict[str, Any]):
    assert changed(aws.plan()) == {}


def test_without_msk_and_rds_chart_deploys_its_own_kafka_and_catalog(aws: Aws, made: dict[str, Any]):
    plan = aws.plan(msk=False, rds=False)

    settings = plan["output_changes"]["aws"]["after"]["settings"]
    assert settings["kafka"] == {"rack": {"topologyKey": "topology.kubernetes.io/zone"}}
    assert settings["catalog"]["external"]["enabled"] is False
    for address, what in changed(plan).items():
        assert what == ["delete"]
        assert "kafka" in address or "catalog" in address or "msk" in address


def test_destroy_leaves_nothing_behind(aws: Aws, made: dict[str, Any]):
    aws.destroy()

    assert json.loads((aws.folder / "terraform.tfstate").read_text())["resources"] == []
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert aws.client("eks").list_clusters()["clusters"] == []
    assert aws.subnets() == []
