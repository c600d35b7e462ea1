"""templates/provision: the job that makes buckets, tables and topics."""

import re

from tests.chart.profiles import EXTERNAL_KAFKA, IDENTITY, PASSWORD_KAFKA
from tests.chart.render import pick, render


def job(values=None, *profiles):
    return pick(render(values, *profiles, only="provision"), "Job")


def container(item):
    (result,) = item["spec"]["template"]["spec"]["containers"]
    return result


def environment(item):
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(item)["env"]}


def test_helm_does_not_wait_for_job_and_changed_job_gets_new_name():
    assert "annotations" not in job()["metadata"]
    name = job()["metadata"]["name"]
    assert re.fullmatch("millrace-provision-[0-9a-f]{8}", name)
    assert job({"image": {"tag": "1.2.3"}})["metadata"]["name"] != name


def test_job_logs_waiting_for_dependencies_and_never_gives_up():
    spec = job()["spec"]
    assert "activeDeadlineSeconds" not in spec
    assert "ttlSecondsAfterFinished" not in spec  # its log stays
    assert spec["template"]["spec"]["restartPolicy"] == "OnFailure"
    assert spec["backoffLimit"] == 100
    assert job({"provision": {"deadlineSeconds": 900}})["spec"]["activeDeadlineSeconds"] == 900


def test_job_creates_buckets_and_tables_and_lets_coordinators_begin():
    wanted = [argument for kind in ("buckets", "tables", "coordinators") for argument in ("--only", kind)]
    assert container(job())["args"] == ["provision", "--wait=600", *wanted]
    variables = environment(job())
    assert variables["MILLRACE_KAFKA_USERNAME"] == "millrace-provision"
    assert variables["MILLRACE_CATALOG_JDBC"] == "jdbc:postgresql://millrace-catalog:5432/iceberg"
    assert variables["MILLRACE_CATALOG_PASSWORD"]["secretKeyRef"] == {"name": "millrace-catalog", "key": "password"}
    assert variables["MILLRACE_S3_SECRET_KEY"]["secretKeyRef"] == {"name": "millrace-s3-provision", "key": "secret-key"}


def test_job_needs_no_kafka_where_the_release_has_no_sinks():
    item = job({"connect": {"enabled": False}})
    assert container(item)["args"] == ["provision", "--wait=600", "--only", "buckets", "--only", "tables"]
    assert "MILLRACE_KAFKA_BOOTSTRAP" not in environment(item)


def test_job_also_creates_topics_in_external_kafka():
    item = job(EXTERNAL_KAFKA)
    assert container(item)["args"][-2:] == ["--only", "topics"]
    variables = environment(item)
    assert variables["MILLRACE_KAFKA_SASL_MECHANISM"] == "AWS_MSK_IAM"
    assert variables["MILLRACE_KAFKA_REPLICATION"] == "3"
    assert "MILLRACE_KAFKA_PASSWORD" not in variables
    assert "MILLRACE_KAFKA_CA_FILE" not in variables


def test_external_kafka_ca_is_mounted_at_configured_path():
    item = job(PASSWORD_KAFKA)
    variables = environment(item)
    assert variables["MILLRACE_KAFKA_USERNAME"] == "millrace"
    assert variables["MILLRACE_KAFKA_PASSWORD"]["secretKeyRef"] == {"name": "kafka-login", "key": "password"}
    mount = next(entry for entry in container(item)["volumeMounts"] if entry["name"] == "kafka-ca")
    assert variables["MILLRACE_KAFKA_CA_FILE"] == f"{mount['mountPath']}/ca.crt"
    volumes = {entry["name"]: entry for entry in item["spec"]["template"]["spec"]["volumes"]}
    assert volumes["kafka-ca"]["secret"]["secretName"] == "kafka-ca"


def test_externally_managed_buckets_are_not_created():
    assert "buckets" not in container(job(None, "production"))["args"]


def test_service_account_carries_configured_role():
    account = pick(render(IDENTITY, only="provision"), "ServiceAccount")
    assert account["metadata"]["annotations"] == IDENTITY["storage"]["external"]["serviceAccountAnnotations"]
    variables = environment(job(IDENTITY))
    assert variables["MILLRACE_S3_ENDPOINT"] == ""
    assert "MILLRACE_S3_ACCESS_KEY" not in variables


def test_provisioning_can_be_disabled():
    assert render({"provision": {"enabled": False}}, only="provision") == []
