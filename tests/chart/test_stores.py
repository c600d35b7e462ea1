"""templates/catalog and templates/storage: PostgreSQL and SeaweedFS (or MinIO), or those that are there already."""

import base64
import json

import pytest

from millrace.rights import COMPONENTS
from tests.chart.profiles import EXTERNAL_CATALOG, EXTERNAL_STORAGE
from tests.chart.render import Refused, of_kind, pick, render

MINIO = {"storage": {"minio": {"enabled": True}}}
STORES = pytest.mark.parametrize(
    ("folder", "component", "port", "values", "outside"),
    [
        ("catalog", "catalog", 5432, {}, EXTERNAL_CATALOG),
        ("storage", "seaweedfs", 8333, {}, EXTERNAL_STORAGE),
        ("storage", "minio", 9000, MINIO, EXTERNAL_STORAGE),
    ],
)


def environment(item):
    (container,) = item["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value") or entry["valueFrom"]["secretKeyRef"] for entry in container["env"]}


@STORES
def test_service_routes_to_pod(folder, component, port, values, outside):
    objects = render(values, only=folder)
    service = pick(objects, "Service", f"millrace-{component}")
    labels = pick(objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert [entry["port"] for entry in service["spec"]["ports"]] == [port]


@STORES
def test_volume_claim_survives_uninstall(folder, component, port, values, outside):
    spec = pick(render(values, only=folder), "StatefulSet", f"millrace-{component}")["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = spec["volumeClaimTemplates"]
    # Claims cannot be changed afterwards: nothing of them may follow the chart's version.
    assert "helm.sh/chart" not in claim["metadata"]["labels"]


@STORES
def test_new_chart_version_alone_restarts_no_store(folder, component, port, values, outside):
    labels = pick(render(values, only=folder), "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(labels)


@STORES
def test_only_own_release_can_reach_store(folder, component, port, values, outside):
    policy = pick(render(values, only=folder), "NetworkPolicy", f"millrace-{component}")["spec"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == component
    (rule,) = policy["ingress"]
    assert [entry["port"] for entry in rule["ports"]] == [port]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["from"]] == [
        {"app.kubernetes.io/name": "millrace", "app.kubernetes.io/instance": "millrace"},
        {"strimzi.io/cluster": "millrace", "strimzi.io/kind": "KafkaConnect"},
    ]
    assert {entry["port"] for rule in policy["egress"] for entry in rule["ports"]} == {53}


@STORES
def test_disabled_network_policies_are_not_rendered(folder, component, port, values, outside):
    kinds = {item["kind"] for item in render(values | {"networkPolicy": {"enabled": False}}, only=folder)}
    assert kinds == {"Service", "StatefulSet"}


@STORES
def test_external_store_is_not_deployed(folder, component, port, values, outside):
    assert render(outside, only=folder) == []


def test_catalog_creates_database_that_clients_are_configured_for():
    variables = environment(pick(render(only="catalog"), "StatefulSet"))
    assert variables["POSTGRES_DB"] == variables["POSTGRES_USER"] == "iceberg"
    assert variables["POSTGRES_PASSWORD"] == {"name": "millrace-catalog", "key": "password"}
    assert "scram-sha-256" in variables["POSTGRES_INITDB_ARGS"]


def test_minio_reads_keys_from_secret_shared_with_clients():
    objects = render(MINIO)
    variables = environment(pick(objects, "StatefulSet", "millrace-minio"))
    assert variables["MINIO_ROOT_USER"] == {"name": "millrace-s3", "key": "access-key"}
    assert variables["MINIO_ROOT_PASSWORD"] == {"name": "millrace-s3", "key": "secret-key"}
    assert environment(pick(objects, "Deployment", "millrace-api"))["MILLRACE_S3_ACCESS_KEY"]["name"] == "millrace-s3"


def identities(objects):
    """What SeaweedFS is told of each user."""
    content = pick(objects, "Secret", "millrace-seaweedfs")["data"]["s3.json"]
    return {entry["name"]: entry for entry in json.loads(base64.b64decode(content))["identities"]}


def test_each_component_has_seaweedfs_user_with_permissions_from_package():
    objects = render()
    result = identities(objects)
    assert result.keys() == COMPONENTS.keys()
    buckets = {"lake": "millrace-lake", "models": "millrace-models"}
    for component, rights in COMPONENTS.items():
        wanted = {f"List:{buckets[bucket]}" for bucket in rights.buckets}
        for verb, places in (("Read", rights.read), ("Write", rights.write)):
            wanted |= {f"{verb}:{buckets[bucket]}/{prefix}*" for bucket, found_ in places.items() for prefix in found_}
        assert set(result[component]["actions"]) == wanted
        secret = pick(objects, "Secret", f"millrace-s3-{component}")["data"]
        (login,) = result[component]["credentials"]
        assert [base64.b64decode(secret[key]).decode() for key in ("access-key", "secret-key")] == list(login.values())


def test_seaweedfs_exposes_only_s3_and_sends_no_telemetry():
    (container,) = pick(render(), "StatefulSet", "millrace-seaweedfs")["spec"]["template"]["spec"]["containers"]
    arguments = dict(part.removeprefix("-").partition("=")[::2] for part in container["args"][1:])
    assert arguments["ip.bind"] == arguments["ip"] == "127.0.0.1"
    assert arguments["s3.ip.bind"] == "0.0.0.0"
    assert arguments["master.telemetry"] == arguments["s3.iam"] == "false"
    assert arguments["s3.port.iceberg"] == arguments["s3.port.lance"] == "0"
    assert [port["containerPort"] for port in container["ports"]] == [8333]


def test_ingest_may_read_only_buckets_of_its_sources():
    jobs = [{"name": "one", "workload": "courses", "source": "s3://sources/a/b.csv"}]
    assert set(identities(render({"ingest": {"jobs": jobs}}))["ingest"]["actions"]) == {"List:sources", "Read:sources"}
    assert identities(render())["ingest"]["actions"] == []


def test_external_s3_supports_separate_user_per_component():
    external = EXTERNAL_STORAGE["storage"]["external"] | {"secrets": {"api": "reader"}}
    objects = render({"storage": {"external": external}})
    assert environment(pick(objects, "Deployment", "millrace-api"))["MILLRACE_S3_ACCESS_KEY"]["name"] == "reader"
    driver = pick(objects, "SparkApplication", "millrace-train-courses")["spec"]["driver"]["env"]
    (login,) = [entry for entry in driver if entry["name"] == "MILLRACE_S3_ACCESS_KEY"]
    assert login["valueFrom"]["secretKeyRef"]["name"] == external["existingSecret"]


def test_storage_class_is_set_only_when_configured():
    def claim(values):
        return pick(render(values, only="catalog"), "StatefulSet")["spec"]["volumeClaimTemplates"][0]["spec"]

    assert "storageClassName" not in claim({})
    assert claim({"catalog": {"storage": {"class": "fast"}}})["storageClassName"] == "fast"


def with_authority():
    external = EXTERNAL_CATALOG["catalog"]["external"] | {"caSecret": "catalog-ca"}
    return render({"catalog": {"external": external}})


def test_catalog_clients_mount_ca_and_verify_server_name():
    objects = with_authority()
    job = next(item for name, item in of_kind(objects, "Job").items() if "provision" in name)
    doctor = pick(objects, "CronJob", "millrace-doctor")["spec"]["jobTemplate"]
    pods = [item["spec"]["template"]["spec"] for item in (job, doctor)]
    drivers = [item["spec"] for item in of_kind(objects, "SparkApplication").values()]
    askers = [(pod["containers"][0], pod["volumes"]) for pod in pods]
    askers += [(spec["driver"], spec["volumes"]) for spec in drivers]
    assert len(askers) > 5
    for container, volumes in askers:
        (address,) = [entry["value"] for entry in container["env"] if entry["name"] == "MILLRACE_CATALOG_JDBC"]
        path = address.partition("?sslmode=verify-full&sslrootcert=")[2]
        check_authority(path, container["volumeMounts"], volumes)
    template = pick(objects, "KafkaConnect")["spec"]["template"]
    uri = pick(objects, "KafkaConnector", "lake-courses")["spec"]["config"]["iceberg.catalog.uri"]
    path = uri.partition("?sslmode=verify-full&sslrootcert=")[2]
    assert path.startswith("/mnt/")
    check_authority(path, template["connectContainer"]["volumeMounts"], template["pod"]["volumes"])


def check_authority(path, mounts, volumes):
    """The file that an address names is the secret's."""
    (mount,) = [entry for entry in mounts if path == f"{entry['mountPath']}/ca.crt"]
    (volume,) = [entry for entry in volumes if entry["name"] == mount["name"]]
    assert volume["secret"]["secretName"] == "catalog-ca"
    assert mount["readOnly"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"caSecret": "ca", "jdbc": "jdbc:postgresql://db:5432/iceberg?sslmode=require"}, "names an sslmode"),
        ({"caSecret": "ca", "enabled": False, "jdbc": "", "user": "", "existingSecret": ""}, "enabled is false"),
    ],
)
def test_ca_that_would_not_be_used_is_rejected(changed, sentence):
    external = EXTERNAL_CATALOG["catalog"]["external"] | changed
    with pytest.raises(Refused, match=sentence):
        render({"catalog": {"external": external}})
