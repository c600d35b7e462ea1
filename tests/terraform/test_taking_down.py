"""Changes of mind, and the end. Last by its name, because it takes down what the other files look at."""

import json
from typing import Any

from tests.terraform.conftest import Aws


def test_without_msk_and_rds_kafka_and_catalog_are_the_charts_own(aws: Aws, made: dict[str, Any]):
    settings = aws.apply(msk=False, rds=False)["settings"]

    assert settings["kafka"] == {"rack": {"topologyKey": "topology.kubernetes.io/zone"}}
    assert settings["catalog"]["external"]["enabled"] is False
    assert aws.client("rds").describe_db_instances()["DBInstances"] == []
    assert aws.client("kafka").list_clusters_v2()["ClusterInfoList"] == []


def test_destroy_leaves_nothing_behind(aws: Aws, made: dict[str, Any]):
    aws.destroy()

    assert json.loads((aws.folder / "terraform.tfstate").read_text())["resources"] == []
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert aws.client("eks").list_clusters()["clusters"] == []
    assert aws.subnets() == []
