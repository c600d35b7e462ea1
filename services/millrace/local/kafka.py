"""A single KRaft node: broker and controller in one process, its log formatted once."""

import base64
import os
import socket
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from millrace.errors import UnavailableError
from millrace.local import jvm
from millrace.local.child import Child, last_words
from millrace.local.credentials import STACK_USER
from millrace.local.state import write_private_text
from millrace.messaging.client import accepts_login
from millrace.runtime.properties import format_properties

PROTOCOL, MECHANISM = "SASL_PLAINTEXT", "PLAIN"
LOGIN_TIMEOUT_S = 3.0
DATA_FOLDER = "kafka"
CONFIG_FILE = "kafka.properties"
CLIENT_FILE = "client.properties"
LOGIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"

PROPERTIES: dict[str, object] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENTS",
    "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "sasl.enabled.mechanisms": MECHANISM,
    "sasl.mechanism.inter.broker.protocol": MECHANISM,
    "sasl.mechanism.controller.protocol": MECHANISM,
    "log.dirs": DATA_FOLDER,
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 8,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.num.partitions": 8,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "log.retention.check.interval.ms": 60000,
    # A month, as lake.control: a sink that rested for a week would not know how far it was.
    "offsets.retention.minutes": 43200,
}
LOGGING = """\
Configuration:
  status: WARN
  appenders:
    Console: {name: out, PatternLayout: {pattern: "%d{ISO8601} %p %c{1} %m%n"}}
  Loggers:
    Root: {level: WARN, AppenderRef: [{ref: out}]}
    Logger:
      - {name: org.apache.iceberg.connect, level: INFO}
      - {name: kafka.server.KafkaRaftServer, level: INFO}
"""


def logging_option(home: Path) -> str:
    """The JVM option for warnings only, on standard output, which goes to the child's log."""
    file = home / "log4j2.yaml"
    file.write_text(LOGGING)
    return f"-Dlog4j2.configurationFile={file.name}"


def client_properties(password: str) -> dict[str, object]:
    """How a Java client logs in."""
    return {
        "security.protocol": PROTOCOL,
        "sasl.mechanism": MECHANISM,
        "sasl.jaas.config": f'{LOGIN_MODULE} required username="{STACK_USER}" password="{password}";',
    }


class Front(NamedTuple):
    """A third listener, whose clients are told that the broker is at `advertised`: the port of a proxy before it."""

    port: int
    advertised: int


def broker_properties(port: int, controller: int, password: str, front: Front | None = None) -> dict[str, object]:
    """The broker's configuration: its listeners on loopback, and open to the home's own user only."""
    listeners = f"CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"
    login = f'{LOGIN_MODULE} required username="{STACK_USER}" password="{password}" user_{STACK_USER}="{password}";'
    properties = PROPERTIES | {
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.name.clients.plain.sasl.jaas.config": login,
        "listener.name.controller.plain.sasl.jaas.config": login,
    }
    if front is None:
        return properties
    return properties | {
        "listener.security.protocol.map": f"{PROPERTIES['listener.security.protocol.map']},FRONT:SASL_PLAINTEXT",
        "listeners": f"{listeners},FRONT://127.0.0.1:{front.port}",
        "advertised.listeners": f"{listeners},FRONT://127.0.0.1:{front.advertised}",
        "listener.name.front.plain.sasl.jaas.config": login,
    }


def is_listening(port: int) -> bool:
    """Whether something accepts connections at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_own_broker(port: int, password: str) -> bool:
    """Whether the broker there is this home's own: it lets in who has the home's password."""
    if not is_listening(port):
        return False
    return accepts_login(f"127.0.0.1:{port}", PROTOCOL, MECHANISM, (STACK_USER, password), LOGIN_TIMEOUT_S)


def make_cluster_id(draw: Callable[[], uuid.UUID]) -> str:
    """A new cluster ID, 22 characters of URL-safe base64. One that begins with "-" would be an option: redrawn."""
    while (name := base64.urlsafe_b64encode(draw().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return name


def make_kafka(home: Path, java: Path, port: int, controller: int, password: str, front: Front | None = None) -> Child:
    """Write the configuration, format the log directory once. Raises UnavailableError when that fails."""
    jvm.link_jars(home)
    properties = broker_properties(port, controller, password, front)
    write_private_text(home / CONFIG_FILE, format_properties(properties))
    # For Kafka's own tools, as --command-config, and for other Java clients.
    address = {"bootstrap.servers": f"127.0.0.1:{port}"}
    write_private_text(home / CLIENT_FILE, format_properties(address | client_properties(password)))
    classpath = jvm.relative_classpath("kafka")
    if not (home / DATA_FOLDER / "meta.properties").exists():
        command = [str(java), "-cp", classpath, "kafka.tools.StorageTool", "format", "--standalone"]
        command += ["-t", make_cluster_id(uuid.uuid4), "-c", CONFIG_FILE]
        log = home / "logs/kafka-format.log"
        with log.open("wb") as output:
            done = subprocess.run(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                cwd=home,
                env=jvm.clean_environment(os.environ),
            )
        if done.returncode:
            raise UnavailableError(
                f"Kafka's storage in {home / DATA_FOLDER} can't be formatted: {last_words(log)} ({log})"
            )
    # After a kill -9 the broker reads its log segments again before it listens: hence the long wait below.
    options = ["-Xms128m", "-Xmx512m", *jvm.SHARED_OPTIONS, logging_option(home)]
    command = [str(java), *options, "-cp", classpath, "kafka.Kafka", CONFIG_FILE]
    return Child("kafka", command, port, lambda: is_own_broker(port, password), seconds=180, folder=home)
