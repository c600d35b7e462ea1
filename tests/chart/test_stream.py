"""Pages scored as they arrive: a Spark application that never ends."""

import pytest

from tests.chart.render import Refused, of_kind, pick, render
from tests.chart.test_schemas import faults

APPLICATION = "SparkApplication"


def stream(values=None, **more):
    return render({"stream": values or {}} | more, only="stream")


def application(values=None, **more):
    return pick(stream(values, **more), APPLICATION, "millrace-stream-urls")["spec"]


def environment(role, values=None):
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in application(values)[role]["env"]}


def test_application_runs_script_from_image_for_workload():
    spec = application()
    assert spec["mainApplicationFile"] == "local:///opt/millrace/spark-apps/stream.py"
    assert spec["arguments"] == ["urls"]
    assert spec["image"] == pick(render(only="training"), APPLICATION, "millrace-train-urls")["spec"]["image"]


def test_application_restarts_forever_at_intervals_operator_requires():
    assert application()["restartPolicy"] == {
        "type": "Always",
        "onFailureRetryInterval": 10,
        "onSubmissionFailureRetryInterval": 20,
    }
    assert "timeToLiveSeconds" not in application()


def test_executor_count_comes_from_values():
    assert "dynamicAllocation" not in application()
    assert application({"executor": {"instances": 3}})["executor"]["instances"] == 3


def test_every_variable_is_a_package_setting():
    from millrace.settings import Settings

    variables = environment("driver", {"maxOffsetsPerTrigger": 2_000_000, "intervalSeconds": 0.5})
    assert variables["MILLRACE_STREAM_ROWS"] == "2000000"
    assert variables["MILLRACE_STREAM_INTERVAL"] == "0.5"
    ours = {name for name in variables if not name.startswith("AWS_")}
    assert {name.removeprefix("MILLRACE_").lower() for name in ours} <= Settings.model_fields.keys()


def test_driver_has_its_own_user_and_executors_get_only_broker_ca():
    variables = environment("driver")
    assert variables["MILLRACE_KAFKA_USERNAME"] == "millrace-stream"
    assert variables["MILLRACE_KAFKA_PASSWORD"]["secretKeyRef"]["name"] == "millrace-stream"
    # Source and sink run there with the options of the plan, which name the authority by its file.
    position = variables["MILLRACE_KAFKA_CA_FILE"].rpartition("/")[0]
    for role in ("driver", "executor"):
        assert {"name": "kafka-ca", "mountPath": position, "readOnly": True} in application()[role]["volumeMounts"]
    assert environment("executor").keys() == {"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_metrics_port_matches_variable():
    (port,) = application()["driver"]["ports"]
    assert str(port["containerPort"]) == environment("driver")["MILLRACE_METRICS_PORT"]
    assert environment("driver")["MILLRACE_METRICS_HOST"] == "0.0.0.0"
    assert "ports" not in application()["executor"]


@pytest.mark.parametrize("role", ["driver", "executor"])
def test_pods_meet_restricted_standard(role):
    pod = application()[role]
    assert pod["podSecurityContext"]["runAsNonRoot"] is True
    assert pod["podSecurityContext"]["runAsUser"] == 185
    assert pod["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"/tmp", "/var/spark"} <= {mount["mountPath"] for mount in pod["volumeMounts"]}


def test_driver_may_create_executors_and_executors_have_no_permissions():
    accounts = of_kind(stream(), "ServiceAccount")
    assert application()["driver"]["serviceAccount"] == "millrace-stream"
    assert application()["executor"]["serviceAccount"] == "millrace-stream-executor"
    assert accounts["millrace-stream"]["automountServiceAccountToken"] is True
    assert accounts["millrace-stream-executor"]["automountServiceAccountToken"] is False
    (subject,) = pick(stream(), "RoleBinding")["subjects"]
    assert subject["name"] == "millrace-stream"


def test_network_policy_selects_pods_and_admits_configured_metrics_readers():
    spec = pick(stream(), "NetworkPolicy")["spec"]
    for role in ("driver", "executor"):
        assert spec["podSelector"]["matchLabels"].items() <= application()[role]["labels"].items()
    report = {int(value) for key, value in application()["sparkConf"].items() if key.endswith(".port")}
    (among,) = spec["ingress"]
    assert {port["port"] for port in among["ports"]} == report
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    _, numbers = pick(stream({"networkPolicy": {"metricsFrom": [peer]}}), "NetworkPolicy")["spec"]["ingress"]
    assert numbers["from"] == [peer]
    assert [port["port"] for port in numbers["ports"]] == [4040, 9090]


def test_nothing_is_rendered_without_pages_or_when_disabled():
    assert render({"workloads": ["courses", "mooc"]}, only="stream") == []
    assert stream({"enabled": False}) == []


def test_application_can_be_suspended():
    assert "suspend" not in application()
    assert application({"suspend": True})["suspend"] is True


def test_every_value_matches_operator_schema():
    position = {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}], "affinity": {"nodeAffinity": {}}}
    pod = {"scheduling": position, "annotations": {"a": "b"}, "javaOptions": "-XX:+UseG1GC"}
    values = {"driver": pod, "executor": pod, "arguments": ["--x"], "sparkConf": {"spark.sql.shuffle.partitions": 2}}
    objects = stream(values, image={"pullSecrets": ["login"]})
    assert [fault for item in objects for fault in faults(item)] == []
    spec = pick(objects, APPLICATION)["spec"]
    assert spec["arguments"] == ["urls", "--x"]
    assert spec["sparkConf"]["spark.sql.shuffle.partitions"] == "2"
    assert spec["driver"]["nodeSelector"] == spec["executor"]["nodeSelector"] == {"a": "b"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"stream": {"workloads": ["boats"]}}, ['"boats"', "catalogue, courses, mooc, products, shop, urls"]),
        ({"stream": {"workloads": ["urls"]}, "workloads": ["mooc"]}, ['"urls"', "the workloads are [mooc]"]),
        ({"stream": {"workloads": ["mooc"]}}, ['"mooc"', "those with pages are [urls]"]),
        ({"stream": {"workloads": ["urls"], "enabled": False}}, ["[urls]", "stream.enabled is false"]),
        ({"stream": {"maxOffsetsPerTrigger": 0}}, ["maxOffsetsPerTrigger"]),
        ({"stream": {"executor": {"memory": "1Gi"}}}, ["memory"]),
        ({"stream": {"schedule": "@daily"}}, ["schedule"]),
    ],
)
def test_invalid_values_are_rejected_with_explanation(values, named):
    with pytest.raises(Refused) as refused:
        render(values)
    assert all(part in str(refused.value) for part in named), str(refused.value)
