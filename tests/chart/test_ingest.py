"""Ingest as Job and CronJob."""

import pytest

from tests.chart.render import Refused, of_kind, pick, render
from tests.chart.test_schemas import faults

S3 = {"name": "first", "workload": "courses", "source": "s3://incoming/courses.csv"}
MADE = {"name": "made", "workload": "products", "generate": {"rows": 2_000_000}}


def ingest(*jobs, **values):
    objects = render({"ingest": {"jobs": list(jobs)}} | values, only="ingest")
    assert [fault for item in objects for fault in faults(item)] == []
    return objects


def pod(*jobs, **values):
    return pick(ingest(*jobs, **values), "Job")["spec"]["template"]["spec"]


def environment(spec):
    return {item["name"]: item for item in spec["containers"][0]["env"]}


def test_nothing_is_ingested_by_default():
    assert ingest() == []


def test_source_is_passed_to_ingest_command():
    job = pick(ingest(S3), "Job")
    assert job["metadata"]["labels"]["millrace.io/ingest"] == "first"
    spec = job["spec"]["template"]["spec"]
    assert spec["containers"][0]["args"] == ["ingest", "courses", "s3://incoming/courses.csv", "--json"]
    assert spec["containers"][0]["image"] == "localhost/millrace-ingest:0.3.0"
    assert "initContainers" not in spec


def test_rate_row_limit_and_arguments_are_passed_to_command():
    spec = pod(S3 | {"rate": "100/s", "randomPauses": True, "limit": 1_000_000, "args": ["--again"]})
    assert spec["containers"][0]["args"][3:] == [
        "--rate=100/s",
        "--random-pauses",
        "--limit=1000000",
        "--again",
        "--json",
    ]


def test_records_are_generated_before_they_are_ingested():
    spec = pod(MADE)
    (maker,), (reader,) = spec["initContainers"], spec["containers"]
    assert maker["args"] == ["generate", "products", "--rows=2000000", "--seed=7", "--out=/data/records.csv"]
    assert reader["args"][:3] == ["ingest", "products", "/data/records.csv"]
    assert {"name": "data", "mountPath": "/data"} in maker["volumeMounts"]
    assert {"name": "data", "mountPath": "/data", "readOnly": True} in reader["volumeMounts"]
    assert not [item for item in maker["env"] if "valueFrom" in item]


def test_rendered_commands_and_options_exist():
    from typer.testing import CliRunner

    from millrace.cli.main import app

    for arguments in (pod(MADE)["initContainers"][0]["args"], pod(S3 | {"rate": "1/s"})["containers"][0]["args"]):
        options = [word.split("=")[0] for word in arguments if word.startswith("--")]
        shown = CliRunner().invoke(app, [arguments[0], "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
        assert [word for word in options if word not in shown] == []


@pytest.mark.parametrize(
    ("where", "volume"),
    [
        ({"configMap": "files"}, {"configMap": {"name": "files"}}),
        ({"persistentVolumeClaim": "files"}, {"persistentVolumeClaim": {"claimName": "files", "readOnly": True}}),
    ],
)
def test_mounted_file_is_read_only(where, volume):
    spec = pod({"name": "file", "workload": "courses", "source": "/data/a.csv"} | where)
    assert {"name": "data"} | volume in spec["volumes"]
    assert {"name": "data", "mountPath": "/data", "readOnly": True} in spec["containers"][0]["volumeMounts"]


def test_schedule_creates_non_overlapping_cron_job():
    objects = ingest(S3 | {"schedule": "0 1 * * *", "timeZone": "Europe/Berlin", "suspend": True})
    assert not of_kind(objects, "Job")
    spec = pick(objects, "CronJob", "millrace-ingest-first")["spec"]
    assert spec["schedule"] == "0 1 * * *"
    assert spec["timeZone"] == "Europe/Berlin"
    assert spec["suspend"] is True
    assert spec["concurrencyPolicy"] == "Forbid"


def test_changed_definition_creates_new_job_and_unchanged_one_does_not():
    names = [pick(ingest(job), "Job")["metadata"]["name"] for job in (S3, S3, S3 | {"limit": 5})]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("millrace-ingest-first-") for name in names)


def test_new_chart_version_alone_creates_no_new_job():
    template = pick(ingest(S3), "Job")["spec"]["template"]
    assert "helm.sh/chart" not in template["metadata"]["labels"]


def test_bad_input_is_not_retried_and_lost_node_is_not_counted_as_failure():
    spec = pick(ingest(S3), "Job")["spec"]
    ignored, failed = spec["podFailurePolicy"]["rules"]
    assert ignored["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert failed["onExitCodes"]["values"] == [2, 4]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert "ttlSecondsAfterFinished" not in spec


def test_non_retryable_exit_codes_are_bad_input_and_corrupt_data():
    from millrace.errors import BadInputError, CorruptError

    assert [BadInputError.exit_code, CorruptError.exit_code] == [2, 4]


def test_job_has_broker_login_and_s3_credentials_only_for_s3_source():
    variables = environment(pod(S3))
    assert variables["MILLRACE_KAFKA_BOOTSTRAP"]["value"] == "millrace-kafka-bootstrap:9093"
    assert variables["MILLRACE_KAFKA_USERNAME"]["value"] == "millrace-ingest"
    assert variables["MILLRACE_KAFKA_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "millrace-ingest"
    assert "MILLRACE_S3_SECRET_KEY" in variables
    assert "MILLRACE_S3_SECRET_KEY" not in environment(pod(MADE))
    assert {"name": "kafka-ca", "mountPath": "/etc/millrace/kafka", "readOnly": True} in (
        pod(S3)["containers"][0]["volumeMounts"]
    )


def test_pod_meets_restricted_standard_and_mounts_no_token():
    spec = pod(MADE)
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == "millrace-ingest"
    assert spec["securityContext"]["runAsUser"] == 10001
    for container in spec["initContainers"] + spec["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]


def test_egress_allows_brokers_by_pod_selector_or_by_external_port():
    rules = pick(ingest(S3), "NetworkPolicy")["spec"]["egress"]
    assert rules[1]["to"][0]["podSelector"]["matchLabels"]["strimzi.io/kind"] == "Kafka"
    external = {"enabled": True, "bootstrap": "a.example.com:9098,b.example.com:9098", "saslMechanism": "AWS_MSK_IAM"}
    rules = pick(ingest(S3, kafka={"external": external}), "NetworkPolicy")["spec"]["egress"]
    assert rules[1] == {"ports": [{"protocol": "TCP", "port": 9098}]}


def test_every_value_matches_kubernetes_schema():
    job = S3 | {"schedule": "@hourly", "env": [{"name": "A", "value": "b"}]}
    values = {"ttlSecondsAfterFinished": 1_000_000, "jobs": [job, MADE | {"suspend": True}]}
    objects = render({"ingest": values}, only="ingest")
    assert [fault for item in objects for fault in faults(item)] == []
    assert pick(objects, "Job")["spec"]["ttlSecondsAfterFinished"] == 1_000_000


def test_names_too_long_for_kubernetes_are_rejected():
    with pytest.raises(Refused, match=r"has 5[0-9] characters: Kubernetes takes 52"):
        render({"ingest": {"jobs": [S3 | {"name": "a-name-of-20-letters"}]}}, name="a-release-that-is-millrace")


@pytest.mark.parametrize(
    ("jobs", "named"),
    [
        ([S3, S3], ['two entries with the name "first"']),
        ([S3 | {"workload": "boats"}], ['"boats"', "catalogue, courses, mooc, products, shop, urls"]),
        ([S3 | {"generate": {"rows": 1}}], ["s3://incoming/courses.csv", ".generate is set"]),
        ([{"name": "a", "workload": "courses"}], [".source is empty", ".generate is not set"]),
        ([S3 | {"configMap": "files"}], ['"files"', "s3://incoming", "below /data/"]),
        ([S3 | {"configMap": "a", "persistentVolumeClaim": "b"}], ['"a"', '"b"']),
        ([S3 | {"source": "/data/a.csv"}], ["/data/a.csv", "configMap"]),
        ([MADE | {"configMap": "files"}], ['"files"', ".generate is set"]),
        ([S3 | {"randomPauses": True}], ["randomPauses is true", ".rate is empty"]),
        ([S3 | {"timeZone": "UTC"}], ['timeZone is "UTC"', ".schedule is empty"]),
        ([S3 | {"source": "ftp://x/y"}], ["source"]),
        ([S3 | {"name": "Not A Name"}], ["name"]),
    ],
)
def test_invalid_values_are_rejected_with_explanation(jobs, named):
    with pytest.raises(Refused) as refused:
        ingest(*jobs)
    assert all(part in str(refused.value) for part in named), str(refused.value)
