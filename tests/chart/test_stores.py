"""templates/catalog and templates/storage: PostgreSQL and MinIO, or those that are there already."""

import pytest

from tests.chart.profiles import EXTERNAL_CATALOG, EXTERNAL_STORAGE
from tests.chart.render import one, render

STORES = pytest.mark.parametrize(
    ("folder", "component", "port", "outside"),
    [("catalog", "catalog", 5432, EXTERNAL_CATALOG), ("storage", "minio", 9000, EXTERNAL_STORAGE)],
)


def environment(item):
    (container,) = item["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value") or entry["valueFrom"]["secretKeyRef"] for entry in container["env"]}


@STORES
def test_the_service_leads_to_the_pod(folder, component, port, outside):
    objects = render(only=folder)
    service = one(objects, "Service", f"millrace-{component}")
    labels = one(objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert [entry["port"] for entry in service["spec"]["ports"]] == [port]


@STORES
def test_the_claim_outlives_the_release(folder, component, port, outside):
    spec = one(render(only=folder), "StatefulSet", f"millrace-{component}")["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = spec["volumeClaimTemplates"]
    # Claims cannot be changed afterwards: nothing of them may follow the chart's version.
    assert "helm.sh/chart" not in claim["metadata"]["labels"]


@STORES
def test_a_new_chart_version_alone_restarts_no_store(folder, component, port, outside):
    labels = one(render(only=folder), "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(labels)


@STORES
def test_only_this_release_may_reach_it(folder, component, port, outside):
    policy = one(render(only=folder), "NetworkPolicy", f"millrace-{component}")["spec"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == component
    (rule,) = policy["ingress"]
    assert [entry["port"] for entry in rule["ports"]] == [port]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["from"]] == [
        {"app.kubernetes.io/name": "millrace", "app.kubernetes.io/instance": "millrace"},
        {"strimzi.io/cluster": "millrace", "strimzi.io/kind": "KafkaConnect"},
    ]
    assert {entry["port"] for rule in policy["egress"] for entry in rule["ports"]} == {53}


@STORES
def test_without_network_policies_there_is_none(folder, component, port, outside):
    kinds = {item["kind"] for item in render({"networkPolicy": {"enabled": False}}, only=folder)}
    assert kinds == {"Service", "StatefulSet"}


@STORES
def test_one_that_is_there_already_is_not_made(folder, component, port, outside):
    assert render(outside, only=folder) == []


def test_the_catalog_is_the_database_that_the_others_are_told_of():
    found = environment(one(render(only="catalog"), "StatefulSet"))
    assert found["POSTGRES_DB"] == found["POSTGRES_USER"] == "iceberg"
    assert found["POSTGRES_PASSWORD"] == {"name": "millrace-catalog", "key": "password"}
    assert "scram-sha-256" in found["POSTGRES_INITDB_ARGS"]


def test_minio_takes_its_keys_from_the_secret_that_the_others_use():
    found = environment(one(render(only="storage"), "StatefulSet"))
    assert found["MINIO_ROOT_USER"] == {"name": "millrace-s3", "key": "access-key"}
    assert found["MINIO_ROOT_PASSWORD"] == {"name": "millrace-s3", "key": "secret-key"}


def test_a_storage_class_is_named_only_where_one_is_wanted():
    def claim(values):
        return one(render(values, only="catalog"), "StatefulSet")["spec"]["volumeClaimTemplates"][0]["spec"]

    assert "storageClassName" not in claim({})
    assert claim({"catalog": {"storage": {"class": "fast"}}})["storageClassName"] == "fast"
