"""How settings become the options of both client libraries."""

import pytest

from millrace.errors import BadInputError
from millrace.messaging import security
from millrace.settings import settings


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch):
    """Set variables without their prefix; the settings are read anew."""

    def give(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"MILLRACE_KAFKA_{name.upper()}", value)
        settings.cache_clear()

    yield give
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def authority(tmp_path) -> str:
    file = tmp_path / "ca.crt"
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    return str(file)


def test_plaintext_broker_gets_no_security_options(configure):
    configure(security_protocol="PLAINTEXT")
    assert security.kafka_python_options() == {}


def test_scram_over_tls_sets_user_password_and_ca(configure, authority):
    configure(security_protocol="SASL_SSL", username="millrace-api", password="p4ss", ca_file=authority)
    assert security.kafka_python_options() == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "millrace-api",
        "sasl_plain_password": "p4ss",
        "ssl_cafile": authority,
    }
    assert security.librdkafka_options() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "millrace-api",
        "sasl.password": "p4ss",
        "ssl.ca.location": authority,
    }


def test_aws_iam_identity_needs_no_password(configure):
    configure(security_protocol="SASL_SSL", sasl_mechanism="AWS_MSK_IAM")
    assert security.kafka_python_options() == {"security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}
    with pytest.raises(BadInputError, match="kafka-python only"):
        security.librdkafka_options()


def test_login_without_password_is_rejected_naming_its_variables(configure):
    configure(security_protocol="SASL_SSL", username="millrace-api")
    with pytest.raises(BadInputError, match="MILLRACE_KAFKA_PASSWORD"):
        security.kafka_python_options()


def test_unknown_security_protocol_is_rejected(configure):
    configure(security_protocol="TLS")
    with pytest.raises(BadInputError, match="MILLRACE_KAFKA_SECURITY_PROTOCOL='TLS'"):
        security.kafka_python_options()


def test_empty_variable_counts_as_unset(configure):
    configure(security_protocol="SSL", ca_file="", username="")
    assert security.kafka_python_options() == {"security_protocol": "SSL"}


def test_java_clients_get_same_login(configure, authority):
    configure(security_protocol="PLAINTEXT")
    assert security.java_options() == {}
    configure(security_protocol="SASL_SSL", username="millrace-stream", password='p"4\\s', ca_file=authority)
    assert security.java_options() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="millrace-stream" password="p\\"4\\\\s";',
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority,
    }
    configure(sasl_mechanism="AWS_MSK_IAM")
    assert security.java_options()["sasl.jaas.config"] == "software.amazon.msk.auth.iam.IAMLoginModule required;"
