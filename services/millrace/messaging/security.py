"""How a client proves who it is to the brokers, in the words of each client library."""

import logging
from typing import Any

from millrace.errors import BadInputError
from millrace.settings import settings

LOOPBACK = ("127.0.0.1:", "localhost:", "[::1]:")


def find_login() -> tuple[str, str] | None:
    """(user, password) where the mechanism has them. Raises BadInputError when one is missing."""
    current = settings()
    if not current.kafka_security_protocol.startswith("SASL") or current.kafka_sasl_mechanism == "AWS_MSK_IAM":
        return None
    if not (current.kafka_username and current.kafka_password):
        raise BadInputError(
            f"MILLRACE_KAFKA_SECURITY_PROTOCOL={current.kafka_security_protocol} with "
            f"{current.kafka_sasl_mechanism} needs MILLRACE_KAFKA_USERNAME and MILLRACE_KAFKA_PASSWORD.",
            code="bad_setting",
            field="kafka_username",
        )
    return current.kafka_username, current.kafka_password.get_secret_value()


def silence_warnings() -> None:
    """Do without kafka-python's warning that a password is sent in clear text: on loopback nobody listens."""
    logging.getLogger("kafka.net.sasl").setLevel(logging.ERROR)


def kafka_python_options() -> dict[str, Any]:
    """Options of kafka-python's clients; none for PLAINTEXT."""
    current, credentials = settings(), find_login()
    options: dict[str, Any] = {"security_protocol": current.kafka_security_protocol}
    if all(address.startswith(LOOPBACK) for address in current.kafka_bootstrap.split(",")):
        silence_warnings()
    if current.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = current.kafka_sasl_mechanism
    if credentials:
        options |= {"sasl_plain_username": credentials[0], "sasl_plain_password": credentials[1]}
    if current.kafka_ca_file:
        options["ssl_cafile"] = str(current.kafka_ca_file)
    return options if current.kafka_security_protocol != "PLAINTEXT" else {}


def librdkafka_options() -> dict[str, Any]:
    """Options of confluent-kafka's clients. Raises BadInputError for AWS_MSK_IAM, which librdkafka does not know."""
    current, credentials = settings(), find_login()
    if current.kafka_sasl_mechanism == "AWS_MSK_IAM" and current.kafka_security_protocol.startswith("SASL"):
        raise BadInputError(
            "MILLRACE_KAFKA_SASL_MECHANISM=AWS_MSK_IAM works with MILLRACE_KAFKA_CLIENT=kafka-python only.",
            code="bad_setting",
            field="kafka_sasl_mechanism",
            allowed="SCRAM-SHA-256, SCRAM-SHA-512, PLAIN",
        )
    options: dict[str, Any] = {"security.protocol": current.kafka_security_protocol}
    if credentials:
        mechanism = current.kafka_sasl_mechanism
        options |= {"sasl.mechanisms": mechanism, "sasl.username": credentials[0], "sasl.password": credentials[1]}
    if current.kafka_ca_file:
        options["ssl.ca.location"] = str(current.kafka_ca_file)
    return options


def java_options() -> dict[str, str]:
    """Options of the Java clients, as Spark's source and sink have them; none for PLAINTEXT.

    AWS_MSK_IAM needs aws-msk-iam-auth on the class path.
    """
    current, credentials = settings(), find_login()
    if current.kafka_security_protocol == "PLAINTEXT":
        return {}
    options = {"security.protocol": current.kafka_security_protocol}
    if current.kafka_ca_file:
        options |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(current.kafka_ca_file)}
    if not current.kafka_security_protocol.startswith("SASL"):
        return options
    options["sasl.mechanism"] = current.kafka_sasl_mechanism
    if credentials is None:
        iam = "software.amazon.msk.auth.iam"
        return options | {
            "sasl.jaas.config": f"{iam}.IAMLoginModule required;",
            "sasl.client.callback.handler.class": f"{iam}.IAMClientCallbackHandler",
        }
    kind = "plain.PlainLoginModule" if current.kafka_sasl_mechanism == "PLAIN" else "scram.ScramLoginModule"
    user, password = (text.replace("\\", "\\\\").replace('"', '\\"') for text in credentials)
    module = f"org.apache.kafka.common.security.{kind}"
    return options | {"sasl.jaas.config": f'{module} required username="{user}" password="{password}";'}
