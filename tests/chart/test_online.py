"""The updater of recommendations: one process, which reads and writes Kafka, and reads models and the lake."""

import pytest
import yaml

from tests.chart.render import CHART, Refused, of_kind, pick, render

POLICY = "NetworkPolicy"


def online(values=None, **more):
    return render({"online": values or {}} | more, only="online")


def pod(objects):
    return pick(objects, "Deployment")["spec"]["template"]["spec"]


def container(objects):
    return pod(objects)["containers"][0]


def environment(objects):
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container(objects)["env"]}


def test_updater_runs_as_single_replica_without_overlap():
    spec = pick(online(), "Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_updater_runs_package_command_in_image_with_its_libraries():
    assert container(online())["args"] == ["online"]
    job = pick(render(only="provision"), "Job")["spec"]["template"]["spec"]["containers"][0]
    assert container(online())["image"] == job["image"]


def test_every_variable_is_a_package_setting():
    from millrace.settings import Settings

    variables = environment(online())
    assert {name.removeprefix("MILLRACE_").lower() for name in variables} <= Settings.model_fields.keys()


def test_updater_has_own_users_for_brokers_storage_and_catalog():
    variables = environment(online())
    assert variables["MILLRACE_KAFKA_USERNAME"] == "millrace-online"
    assert variables["MILLRACE_KAFKA_PASSWORD"] == {"secretKeyRef": {"name": "millrace-online", "key": "password"}}
    assert variables["MILLRACE_MODELS_BUCKET"] == "millrace-models"
    assert variables["MILLRACE_VERSION_BUDGET"] == "256000000"
    assert variables["MILLRACE_CATALOG_JDBC"] == "jdbc:postgresql://millrace-catalog:5432/iceberg"
    assert variables["MILLRACE_CATALOG_PASSWORD"] == {"secretKeyRef": {"name": "millrace-catalog", "key": "password"}}
    assert environment(online(workloads=["mooc"]))["MILLRACE_WORKLOADS"] == "mooc"


def test_scratch_files_of_updater_lie_on_a_volume_that_is_larger_than_their_budget():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert environment(online())["MILLRACE_ONLINE_SCRATCH_BUDGET"] == str(values["online"]["scratchBudget"])
    assert environment(online())["MILLRACE_HOME"].startswith("/tmp/")
    (mount,) = [mount for mount in container(online())["volumeMounts"] if mount["mountPath"] == "/tmp"]
    (volume,) = [volume for volume in pod(online())["volumes"] if volume["name"] == mount["name"]]
    size = volume["emptyDir"]["sizeLimit"]
    assert size.endswith("Gi")
    room = values["online"]["scratchBudget"] + 4 * values["storage"]["versionBudget"]
    assert int(size.removesuffix("Gi")) * 2**30 > room, "beyond its limit the pod is evicted, and starts over for ever"


def test_probes_request_metrics_that_updater_serves():
    result = container(online())
    (port,) = result["ports"]
    assert str(port["containerPort"]) == environment(online())["MILLRACE_METRICS_PORT"]
    assert environment(online())["MILLRACE_METRICS_HOST"] == "0.0.0.0"  # a program's own default is its machine alone
    for probe in ("startupProbe", "livenessProbe"):
        assert result[probe]["httpGet"] == {"path": "/metrics", "port": port["name"]}


def test_updater_reaches_dns_brokers_storage_catalog_and_admits_configured_peers():
    spec = pick(online(), POLICY)["spec"]
    assert (
        spec["podSelector"]["matchLabels"].items()
        <= pick(online(), "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    )
    assert spec["ingress"] == []
    dns, brokers, storage, database = spec["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert brokers["ports"] == [{"protocol": "TCP", "port": 9093}]
    assert storage["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "seaweedfs"
    assert database["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "catalog"
    peer = {"podSelector": {}}
    (rule,) = pick(online({"networkPolicy": {"metricsFrom": [peer]}}), POLICY)["spec"]["ingress"]
    assert rule == {"from": [peer], "ports": [{"protocol": "TCP", "port": 9090}]}


def test_workload_identity_provides_role_without_keys():
    external = {"enabled": True, "serviceAccountAnnotations": {"role": "x"}}
    objects = online(storage={"external": external})
    assert pick(objects, "ServiceAccount")["metadata"]["annotations"] == {"role": "x"}
    assert "MILLRACE_S3_ACCESS_KEY" not in environment(objects)


def test_updater_checks_the_certificate_of_an_external_catalog():
    external = {
        "enabled": True,
        "jdbc": "jdbc:postgresql://db:5433/x",
        "user": "u",
        "existingSecret": "s",
        "caSecret": "ca",
    }
    objects = online(catalog={"external": external})
    mounts = {mount["name"]: mount["mountPath"] for mount in container(objects)["volumeMounts"]}
    assert mounts["catalog-ca"] == "/etc/millrace/catalog"
    assert {"catalog-ca"} <= {volume["name"] for volume in pod(objects)["volumes"]}
    assert "sslmode=verify-full" in environment(objects)["MILLRACE_CATALOG_JDBC"]
    assert {"ports": [{"protocol": "TCP", "port": 5433}]} in pick(objects, POLICY)["spec"]["egress"]


def test_nothing_is_rendered_without_events_or_when_disabled():
    assert render({"workloads": ["courses", "urls"]}, only="online") == []
    assert online({"enabled": False}) == []
    assert of_kind(render({"online": {"enabled": False}}), "Deployment").keys() == {"millrace-api"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicas": 2}, "replicas"),
        ({"probes": {"startupSeconds": 1}}, "startupSeconds"),
        ({"tmpSize": "x"}, "tmpSize"),
        ({"scratchBudget": 5}, "scratchBudget"),
    ],
)
def test_invalid_values_are_rejected(values, named):
    with pytest.raises(Refused, match=named):
        online(values)
