"""templates/connect: the workers and the sinks."""

import pytest

from tests.chart.profiles import EXTERNAL_CATALOG, EXTERNAL_KAFKA, EXTERNAL_STORAGE, IDENTITY, PASSWORD_KAFKA
from tests.chart.render import of_kind, pick, render


def worker(values=None, *profiles):
    return pick(render(values, *profiles, only="connect"), "KafkaConnect")["spec"]


def sink(values=None, name="lake-courses"):
    return pick(render(values, only="connect"), "KafkaConnector", name)


def environment(spec):
    return {item["name"]: item for item in spec["template"]["connectContainer"]["env"]}


def secret_of(item):
    return item["valueFrom"]["secretKeyRef"]


def test_workers_use_the_prebuilt_image_and_connector_resources():
    item = pick(render(only="connect"), "KafkaConnect")
    assert item["metadata"]["name"] == "millrace"
    assert item["metadata"]["annotations"] == {"strimzi.io/use-connector-resources": "true"}
    assert item["spec"]["image"] == "localhost/millrace-connect:0.3.0"
    assert "build" not in item["spec"]
    assert item["spec"]["groupId"] == "millrace-connect"


def test_workers_log_in_over_tls_with_their_own_user():
    spec = worker()
    assert spec["bootstrapServers"] == "millrace-kafka-bootstrap:9093"
    assert spec["tls"]["trustedCertificates"] == [{"secretName": "millrace-cluster-ca-cert", "certificate": "ca.crt"}]
    assert spec["authentication"] == {
        "type": "scram-sha-512",
        "username": "millrace-connect",
        "passwordSecret": {"secretName": "millrace-connect", "password": "password"},
    }


def test_msk_login_uses_iam_role():
    spec = worker(EXTERNAL_KAFKA)
    assert spec["bootstrapServers"].endswith(":9098")
    assert spec["tls"] == {"trustedCertificates": []}
    assert spec["authentication"]["type"] == "custom"
    assert spec["authentication"]["config"]["sasl.mechanism"] == "AWS_MSK_IAM"


def test_external_kafka_login_uses_its_user_and_ca():
    spec = worker(PASSWORD_KAFKA)
    assert spec["tls"]["trustedCertificates"][0]["secretName"] == "kafka-ca"
    assert spec["authentication"]["username"] == "millrace"
    assert spec["authentication"]["passwordSecret"] == {"secretName": "kafka-login", "password": "password"}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_sasl_mechanism_is_written_in_strimzi_notation(mechanism):
    external = PASSWORD_KAFKA["kafka"]["external"] | {"saslMechanism": mechanism}
    assert worker({"kafka": {"external": external}})["authentication"]["type"] == mechanism.lower()


def test_kafka_without_login_gets_no_authentication():
    external = {"enabled": True, "bootstrap": "kafka:9092", "securityProtocol": "PLAINTEXT"}
    spec = worker({"kafka": {"external": external}})
    assert "tls" not in spec
    assert "authentication" not in spec


def test_credentials_reach_sink_only_through_environment():
    variables = environment(worker())
    assert secret_of(variables["AWS_ACCESS_KEY_ID"]) == {"name": "millrace-s3-connect", "key": "access-key"}
    assert secret_of(variables["AWS_SECRET_ACCESS_KEY"]) == {"name": "millrace-s3-connect", "key": "secret-key"}
    assert secret_of(variables["CATALOG_PASSWORD"]) == {"name": "millrace-catalog", "key": "password"}
    assert sink()["spec"]["config"]["iceberg.catalog.jdbc.password"] == "${env:CATALOG_PASSWORD}"
    # Of the environment, a connector's configuration may name this variable and no other.
    assert worker()["config"]["config.providers.env.param.allowlist.pattern"] == "CATALOG_PASSWORD"


def test_iam_role_is_used_without_s3_keys():
    spec = worker(IDENTITY)
    assert set(environment(spec)) == {"AWS_REGION", "CATALOG_PASSWORD"}
    assert (
        spec["template"]["serviceAccount"]["metadata"]["annotations"]
        == (IDENTITY["storage"]["external"]["serviceAccountAnnotations"])
    )
    assert "iceberg.catalog.s3.endpoint" not in sink(IDENTITY)["spec"]["config"]


def test_each_workload_has_sink_with_one_auto_restarted_task():
    connectors = of_kind(render(only="connect"), "KafkaConnector")
    assert set(connectors) == {f"lake-{name}" for name in ("catalogue", "courses", "mooc", "products", "shop", "urls")}
    for item in connectors.values():
        assert item["metadata"]["labels"]["strimzi.io/cluster"] == "millrace"
        assert item["spec"]["class"] == "org.apache.iceberg.connect.IcebergSinkConnector"
        assert item["spec"]["tasksMax"] == 1
        assert item["spec"]["autoRestart"] == {"enabled": True}


def test_unreadable_messages_go_to_dead_letter_topic():
    config = sink()["spec"]["config"]
    assert config["errors.tolerance"] == "all"
    assert config["errors.deadletterqueue.topic.name"] == "connect.rejected"
    assert config["errors.deadletterqueue.topic.replication.factor"] == "3"


def test_sink_writes_to_in_cluster_lake():
    config = sink()["spec"]["config"]
    assert config["topics"] == "courses.records"
    assert config["iceberg.catalog.uri"] == "jdbc:postgresql://millrace-catalog:5432/iceberg"
    assert config["iceberg.catalog.warehouse"] == "s3://millrace-lake/warehouse"
    assert config["iceberg.catalog.s3.endpoint"] == "http://millrace-seaweedfs:8333"
    assert config["iceberg.control.commit.interval-ms"] == "5000"


def test_sink_writes_to_external_lake():
    config = sink(EXTERNAL_STORAGE | EXTERNAL_CATALOG)["spec"]["config"]
    assert config["iceberg.catalog.s3.endpoint"] == "https://s3.example.com"
    assert config["iceberg.catalog.uri"] == "jdbc:postgresql://db.example.com:5432/iceberg"


def test_uploads_are_staged_on_mounted_volume():
    template = worker()["template"]
    (mount,) = template["connectContainer"]["volumeMounts"]
    assert mount["mountPath"] == sink()["spec"]["config"]["iceberg.catalog.s3.staging-dir"]
    # Strimzi takes further volumes below /mnt only.
    assert mount["mountPath"].startswith("/mnt/")
    assert mount["name"] in [volume["name"] for volume in template["pod"]["volumes"]]


def test_user_settings_override_defaults():
    values = {
        "connect": {
            "config": {"offset.flush.interval.ms": 1000},
            "connectorConfig": {"iceberg.control.commit.timeout-ms": "60000"},
        }
    }
    assert worker(values)["config"]["offset.flush.interval.ms"] == 1000
    assert sink(values)["spec"]["config"]["iceberg.control.commit.timeout-ms"] == "60000"


def test_disabled_connect_renders_no_objects():
    assert render({"connect": {"enabled": False}}, only="connect") == []
