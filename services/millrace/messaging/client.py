"""kafka-python's clients with this platform's settings, and its errors as sentences."""

import logging
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from millrace.errors import UnavailableError
from millrace.messaging import security
from millrace.settings import require_address, settings

CLIENT_ERRORS = (KafkaError, OSError)
"""What a client raises when the brokers are unavailable, or refuse what was asked of them."""

LOGIN_REFUSED = re.compile("SaslAuthenticationFailed|IllegalSaslState|UnsupportedSaslMechanism|socket disconnected")
"""How a connection ends where somebody listens and knows no such login: with a word, or without one."""

CONNECTION_REFUSED = re.compile("ECONNREFUSED|[Cc]onnection refused|Errno 111")
"""How one ends where nobody listens."""


class OffsetsLostError(Exception):
    """An offset that is to be read is not in the topic: Kafka has deleted it, or the topic was recreated."""


class RefusedLogins(logging.Handler):
    """When a login was refused, if somebody has listened ever since.

    Why a connection failed stands in kafka-python's log only; what it raises is a timeout.
    """

    newest = -math.inf

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if LOGIN_REFUSED.search(message):
            self.newest = time.monotonic()
        elif CONNECTION_REFUSED.search(message):
            self.newest = -math.inf


_refused_logins = RefusedLogins(logging.WARNING)
logging.getLogger("kafka.net.manager").addHandler(_refused_logins)


def common_options() -> dict[str, Any]:
    """What every client needs to find the broker."""
    bootstrap = require_address("kafka_bootstrap")
    return {
        "bootstrap_servers": bootstrap.split(","),
        "client_id": "millrace",
        "bootstrap_timeout_ms": int(settings().kafka_timeout * 1000),
        **security.kafka_python_options(),
    }


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn Kafka's errors into UnavailableError with the address and what to do."""
    try:
        yield
    except (*CLIENT_ERRORS, OffsetsLostError) as error:
        current = settings()
        if time.monotonic() - _refused_logins.newest < current.kafka_timeout:
            raise UnavailableError(
                f"Kafka at {current.kafka_bootstrap} does not know this login: it is another Kafka, or its users have "
                "changed. `millrace status` shows the stack of this home; elsewhere look at MILLRACE_KAFKA_USERNAME.",
                code="kafka_refused",
            ) from error
        raise UnavailableError(
            f"Kafka at {current.kafka_bootstrap} gave no answer within {current.kafka_timeout:g} s "
            f"({type(error).__name__}: {error}). Is it running? `millrace status` shows it, `millrace up` starts it.",
            code="kafka_unavailable",
        ) from error


@contextmanager
def open_admin() -> Iterator[KafkaAdminClient]:
    """A client for topics and transactions; closed at the end."""
    client = KafkaAdminClient(**common_options())
    try:
        yield client
    finally:
        client.close()


def accepts_login(address: str, protocol: str, mechanism: str, login: tuple[str, str], seconds: float) -> bool:
    """Whether the broker at `address` of this machine knows (user, password)."""
    security.silence_warnings()
    try:
        KafkaAdminClient(
            bootstrap_servers=address,
            bootstrap_timeout_ms=int(seconds * 1000),
            security_protocol=protocol,
            sasl_mechanism=mechanism,
            sasl_plain_username=login[0],
            sasl_plain_password=login[1],
        ).close()
    except CLIENT_ERRORS:
        return False
    return True


def close_producer(client: KafkaProducer, seconds: float) -> None:
    """Send what is under way, for so many seconds at the most, and end the client whatever is left.

    kafka-python 3.0.12 raises when something is left, and its thread goes on: it would write old messages after newer.
    """
    try:
        client.close(timeout=seconds)
    except KafkaError:
        client._sender.force_close()
        client._sender.join(seconds)


@contextmanager
def open_consumer(**options: Any) -> Iterator[KafkaConsumer]:
    """Closed at the end; commits nothing by itself and reads from the beginning, unless the options say otherwise."""
    client = KafkaConsumer(
        **(common_options() | {"enable_auto_commit": False, "auto_offset_reset": "earliest"} | options)
    )
    try:
        yield client
    finally:
        client.close()
