"""Trainings and compaction as Spark applications, and what their pods may do."""

import pytest

from millrace.settings import Settings
from millrace.training.options import TrainingRequest
from tests.chart.render import Refused, of_kind, pick, render
from tests.chart.test_schemas import faults

APPLICATION, SCHEDULED = "SparkApplication", "ScheduledSparkApplication"


def training(values=None, *profiles):
    return render({"training": values or {}}, *profiles, only="training")


def courses(values=None):
    return pick(training(values), APPLICATION, "millrace-train-courses")["spec"]


def test_every_workload_has_its_own_application():
    assert of_kind(training(), APPLICATION).keys() == {
        f"millrace-train-{name}" for name in ("courses", "mooc", "products", "shop", "urls")
    }
    chosen = render({"workloads": ["products"]}, only="training")
    assert of_kind(chosen, APPLICATION).keys() == {"millrace-train-products"}


def test_application_runs_our_script_in_our_image():
    spec = courses()
    assert (spec["type"], spec["mode"]) == ("Python", "cluster")
    assert spec["sparkVersion"] == "4.0.4"
    assert spec["image"] == "localhost/millrace-spark:0.3.0"
    assert spec["mainApplicationFile"] == "local:///opt/millrace/spark-apps/train.py"
    assert spec["arguments"] == ["courses", "--window", "all", "--wait=3600"]


def test_application_arguments_match_what_script_accepts():
    parameters = {
        "windows": ["1/3", "all"],
        "arguments": ["--accept-gaps"],
        "workloads": {"courses": {"models": ["price"]}},
    }
    result = courses(parameters)["arguments"]
    assert result == [
        "courses",
        "--window",
        "1/3",
        "--window",
        "all",
        "--model",
        "price",
        "--wait=3600",
        "--accept-gaps",
    ]
    assert TrainingRequest.parse(result).wait_s == 3600
    assert courses({"waitSeconds": 0})["arguments"] == ["courses", "--window", "all"]
    assert courses({"follow": "2000rows"})["arguments"][-3:] == ["--follow", "--every", "2000rows"]


def test_spark_version_in_values_matches_package():
    import pyspark

    assert courses()["sparkVersion"] == pyspark.__version__


def test_failed_application_is_retried_a_few_times():
    assert courses()["restartPolicy"] == {
        "type": "OnFailure",
        "onFailureRetries": 3,
        "onFailureRetryInterval": 240,
        "onSubmissionFailureRetries": 5,
        "onSubmissionFailureRetryInterval": 20,
    }


def test_executors_scale_dynamically_or_are_fixed():
    allocation = courses()["dynamicAllocation"]
    assert allocation["enabled"] is True
    assert allocation["shuffleTrackingEnabled"] is False
    assert "instances" not in courses()["executor"]
    fixed = courses({"dynamicAllocation": {"enabled": False}, "executor": {"instances": 3}})
    assert "dynamicAllocation" not in fixed
    assert fixed["executor"]["instances"] == 3


def test_schedule_creates_non_overlapping_scheduled_application():
    objects = training({"schedule": "0 2 * * *", "timeZone": "Europe/Berlin"})
    assert not of_kind(objects, APPLICATION)
    spec = pick(objects, SCHEDULED, "millrace-train-courses")["spec"]
    assert spec["schedule"] == "0 2 * * *"
    assert spec["timeZone"] == "Europe/Berlin"
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["template"] == courses()


def test_single_workload_can_override_values():
    own = {"courses": {"schedule": "@daily", "executor": {"memory": "3g"}}, "products": {"enabled": False}}
    objects = training({"workloads": own})
    assert {"millrace-train-courses", "millrace-train-products"}.isdisjoint(of_kind(objects, APPLICATION))
    spec = pick(objects, SCHEDULED, "millrace-train-courses")["spec"]["template"]
    assert spec["executor"]["memory"] == "3g"
    assert spec["executor"]["memoryOverhead"] == "512m"
    assert "millrace-train-products" not in of_kind(objects, SCHEDULED)


@pytest.mark.parametrize("role", ["driver", "executor"])
def test_pods_meet_restricted_standard(role):
    pod = courses()[role]
    assert pod["podSecurityContext"]["runAsNonRoot"] is True
    assert pod["podSecurityContext"]["runAsUser"] == 185
    assert pod["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["coreLimit"]
    assert pod["memory"]


@pytest.mark.parametrize("role", ["driver", "executor"])
def test_spark_has_writable_paths_despite_read_only_root(role):
    spec = courses()
    mounts = {item["name"]: item["mountPath"] for item in spec[role]["volumeMounts"]}
    kafka = {"kafka-ca": "/etc/millrace/kafka"} if role == "driver" else {}
    assert mounts == {"tmp": "/tmp", "work": "/opt/spark/work-dir", "spark-local-dir-1": "/var/spark"} | kafka
    assert {item["name"] for item in spec["volumes"]} == mounts.keys() | {"kafka-ca"}
    assert "-Djava.io.tmpdir=/tmp" in spec[role]["javaOptions"]
    assert spec["sparkConf"]["spark.sql.warehouse.dir"].startswith("/tmp/")


def test_passwords_are_references_and_executors_have_no_catalog_access():
    driver = {item["name"]: item for item in courses()["driver"]["env"]}
    executor = {item["name"]: item for item in courses()["executor"]["env"]}
    assert driver["MILLRACE_CATALOG_PASSWORD"]["valueFrom"]["secretKeyRef"] == {
        "name": "millrace-catalog",
        "key": "password",
    }
    assert executor.keys() == {"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert executor.keys() < driver.keys()
    for item in (driver | executor).values():
        assert ("SECRET" in item["name"] or "PASSWORD" in item["name"]) <= ("valueFrom" in item)


def test_workload_identity_is_used_without_keys():
    external = {"enabled": True, "region": "eu-west-1", "serviceAccountAnnotations": {"role": "x"}}
    objects = render({"storage": {"external": external}}, only="training")
    spec = pick(objects, APPLICATION, "millrace-train-courses")["spec"]
    assert spec["executor"]["env"] == [{"name": "AWS_REGION", "value": "eu-west-1"}]
    accounts = of_kind(objects, "ServiceAccount")
    assert all(item["metadata"]["annotations"] == {"role": "x"} for item in accounts.values())


def test_driver_may_create_executors_and_executors_have_no_permissions():
    objects = training()
    accounts = of_kind(objects, "ServiceAccount")
    assert courses()["driver"]["serviceAccount"] == "millrace-train"
    assert courses()["executor"]["serviceAccount"] == "millrace-train-executor"
    assert accounts["millrace-train"]["automountServiceAccountToken"] is True
    assert accounts["millrace-train-executor"]["automountServiceAccountToken"] is False
    rights = {part: rule["verbs"] for rule in pick(objects, "Role")["rules"] for part in rule["resources"]}
    assert rights.keys() == {"pods", "services", "configmaps", "persistentvolumeclaims"}
    assert not {"create", "update", "patch"} & set(rights["services"])
    (subject,) = pick(objects, "RoleBinding")["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "millrace-train", "namespace": "millrace"}


def test_network_policy_selects_pods_and_opens_configured_spark_ports():
    spec = pick(training(), "NetworkPolicy")["spec"]
    for role in ("driver", "executor"):
        assert spec["podSelector"]["matchLabels"].items() <= courses()[role]["labels"].items()
    conf = courses()["sparkConf"]
    report = {int(value) for key, value in conf.items() if key.endswith(".port")}
    assert {port["port"] for port in spec["ingress"][0]["ports"]} == report


def test_user_settings_override_chart_settings():
    conf = courses({"sparkConf": {"spark.driver.port": 7000, "spark.sql.shuffle.partitions": 64}})["sparkConf"]
    assert conf["spark.driver.port"] == "7000"
    assert conf["spark.sql.shuffle.partitions"] == "64"


def test_compaction_runs_nightly_for_all_workloads():
    spec = pick(training(), SCHEDULED, "millrace-compact")["spec"]
    assert spec["schedule"] == "30 3 * * *"
    assert spec["template"]["mainApplicationFile"].endswith("/compact.py")
    names = ["catalogue", "courses", "mooc", "products", "shop", "urls"]
    kept = ["--keep-days", "7", "--retain-versions", "20", "--retain-days", "14"]
    assert spec["template"]["arguments"] == [*names, *kept]
    mine, its = spec["template"]["driver"], courses()["driver"]
    assert [one for one in its["env"] if one["name"] != "MILLRACE_WORKLOADS"] == mine["env"]
    assert mine | {"env": []} == its | {"env": []}


def test_retention_follows_values_and_is_what_the_settings_say_by_default():
    arguments = pick(training(), SCHEDULED, "millrace-compact")["spec"]["template"]["arguments"]
    parsed = dict(zip(arguments[-6::2], arguments[-5::2], strict=True))
    assert int(parsed["--retain-versions"]) == Settings.model_fields["retain_versions"].default
    assert float(parsed["--retain-days"]) == Settings.model_fields["retain_days"].default
    changed = render({"compaction": {"retain": {"versions": 5, "days": 1.5}}}, only="training")
    arguments = pick(changed, SCHEDULED, "millrace-compact")["spec"]["template"]["arguments"]
    assert arguments[-4:] == ["--retain-versions", "5", "--retain-days", "1.5"]


def test_compaction_runs_when_training_is_disabled():
    objects = training({"enabled": False})
    assert of_kind(objects, SCHEDULED).keys() == {"millrace-compact"}
    assert of_kind(objects, "ServiceAccount").keys() == {"millrace-train", "millrace-train-executor"}
    assert render({"training": {"enabled": False}, "compaction": {"enabled": False}}, only="training") == []


def test_every_value_matches_operator_schema():
    position = {
        "nodeSelector": {"a": "b"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "low",
    }
    pod = {"scheduling": position, "annotations": {"a": "b"}, "javaOptions": "-XX:+UseG1GC"}
    values = {"driver": pod, "executor": pod, "suspend": True, "timeToLiveSeconds": 0}
    objects = render({"training": values, "image": {"pullSecrets": ["login"]}}, only="training")
    assert [fault for item in objects for fault in faults(item)] == []
    spec = pick(objects, APPLICATION, "millrace-train-courses")["spec"]
    assert spec["suspend"] is True
    assert spec["imagePullSecrets"] == ["login"]
    assert "timeToLiveSeconds" not in spec
    assert spec["driver"]["nodeSelector"] == spec["executor"]["nodeSelector"] == {"a": "b"}


def test_long_release_name_leaves_room_for_operator_timestamp():
    applications = {
        item["metadata"]["name"]
        for item in render({}, name="a-release-with-a-very-long-name", only="training")
        if item["kind"] in (APPLICATION, SCHEDULED)
    }
    assert {len(name) <= 43 for name in applications} == {True}
    names = {"courses", "mooc", "products", "shop", "urls"}
    assert {name.rsplit("-", 1)[1] for name in applications} == names | {"compact"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"dynamicAllocation": {"minExecutors": 5}}, ["minExecutors is 5", "maxExecutors is 4"]),
        ({"dynamicAllocation": {"initialExecutors": 9}}, ["initialExecutors is 9", "1 and 4"]),
        ({"follow": "10m", "schedule": "@daily"}, ['follow is "10m"', 'schedule is "@daily"']),
        ({"workloads": {"boats": {}}}, ['"boats"', "catalogue, courses, mooc, products, shop, urls"]),
        ({"models": ["price"]}, ['"price"', "mooc has [recommendations]"]),
        ({"follow": "soon"}, ["follow"]),
        ({"schedule": "at night"}, ["schedule"]),
        ({"workloads": {"courses": {"drvier": {}}}}, ["drvier"]),
    ],
)
def test_invalid_values_are_rejected_with_explanation(values, named):
    with pytest.raises(Refused) as refused:
        training(values)
    assert all(part in str(refused.value) for part in named), str(refused.value)


def test_driver_reads_dead_letters_as_own_user_and_executors_have_no_broker():
    spec = courses()
    parameters = {item["name"]: item for item in spec["driver"]["env"]}
    assert parameters["MILLRACE_KAFKA_USERNAME"]["value"] == "millrace-train"
    assert parameters["MILLRACE_KAFKA_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "millrace-train"
    assert not [item["name"] for item in spec["executor"]["env"] if "KAFKA" in item["name"]]
