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


def test_helm_waits_for_no_job_and_a_changed_one_has_another_name():
    assert "annotations" not in job()["metadata"]
    name = job()["metadata"]["name"]
    assert re.fullmatch("millrace-provision-[0-9a-f]{8}", name)
    assert job({"image": {"tag": "1.2.3"}})["metadata"]["name"] != name


def test_it_waits_aloud_for_the_other_parts_and_is_never_given_up():
    spec = job()["spec"]
    assert "activeDeadlineSeconds" not in spec
    assert "ttlSecondsAfterFinished" not in spec  # its log stays
    assert spec["template"]["spec"]["restartPolicy"] == "OnFailure"
    assert spec["backoffLimit"] == 100
    assert job({"provision": {"deadlineSeconds": 900}})["spec"]["activeDeadlineSeconds"] == 900


def test_it_makes_buckets_and_tables_and_needs_no_kafka_for_that():
    assert container(job())["args"] == ["provision", "--wait=600", "--only", "buckets", "--only", "tables"]
    variables = environment(job())
    assert "MILLRACE_KAFKA_BOOTSTRAP" not in variables
    assert variables["MILLRACE_CATALOG_JDBC"] == "jdbc:postgresql://millrace-catalog:5432/iceberg"
    assert variables["MILLRACE_CATALOG_PASSWORD"]["secretKeyRef"] == {"name": "millrace-catalog", "key": "password"}
    assert variables["MILLRACE_S3_SECRET_KEY"]["secretKeyRef"] == {"name": "millrace-s3-provision", "key": "secret-key"}


def test_in_an_external_kafka_it_makes_the_topics_too():
    item = job(EXTERNAL_KAFKA)
    assert container(item)["args"][-2:] == ["--only", "topics"]
    variables = environment(item)
    assert variables["MILLRACE_KAFKA_SASL_MECHANISM"] == "AWS_MSK_IAM"
    assert variables["MILLRACE_KAFKA_REPLICATION"] == "3"
    assert "MILLRACE_KAFKA_PASSWORD" not in variables
    assert "MILLRACE_KAFKA_CA_FILE" not in variables


def test_the_ca_of_an_external_kafka_is_mounted_where_the_setting_says():
    item = job(PASSWORD_KAFKA)
    variables = environment(item)
    assert variables["MILLRACE_KAFKA_USERNAME"] == "millrace"
    assert variables["MILLRACE_KAFKA_PASSWORD"]["secretKeyRef"] == {"name": "kafka-login", "key": "password"}
    mount = next(entry for entry in container(item)["volumeMounts"] if entry["name"] == "kafka-ca")
    assert variables["MILLRACE_KAFKA_CA_FILE"] == f"{mount['mountPath']}/ca.crt"
    volumes = {entry["name"]: entry for entry in item["spec"]["template"]["spec"]["volumes"]}
    assert volumes["kafka-ca"]["secret"]["secretName"] == "kafka-ca"


def test_buckets_that_others_make_are_left_alfind_object():
    assert "buckets" not in container(job(None, "production"))["args"]


def test_with_a_role_the_service_account_carries_it():
    account = pick(render(IDENTITY, only="provision"), "ServiceAccount")
    assert account["metadata"]["annotations"] == IDENTITY["storage"]["external"]["serviceAccountAnnotations"]
    variables = environment(job(IDENTITY))
    assert variables["MILLRACE_S3_ENDPOINT"] == ""
    assert "MILLRACE_S3_ACCESS_KEY" not in variables


def test_it_can_be_switched_off():
    assert render({"provision": {"enabled": False}}, only="provision") == []
