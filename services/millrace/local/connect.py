"""Kafka Connect in distributed mode, with the Iceberg sink as its only plugin."""

import shutil
from pathlib import Path

from millrace.local import jars, jvm
from millrace.local.child import Child, http_probe
from millrace.local.credentials import STACK_USER, Credentials
from millrace.local.kafka import client_properties, logging_option
from millrace.local.state import write_private_text
from millrace.runtime.properties import format_properties

CONFIG = "connect.properties"
USERS = "connect-users.properties"
LOGIN = "connect-login.conf"
NETRC = "connect.netrc"
# The same for all that the worker does with Kafka: its own topics, and what it reads and writes for a sink.
CLIENTS = ("", "producer.", "consumer.", "admin.")
AUTHENTICATION = "org.apache.kafka.connect.rest.basic.auth.extension"
PROPERTIES: dict[str, object] = {
    "group.id": "millrace-connect",
    "rest.advertised.host.name": "127.0.0.1",
    "rest.extension.classes": f"{AUTHENTICATION}.BasicAuthSecurityRestExtension",
    "plugin.path": "plugins",
    "plugin.discovery": "service_load",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "config.storage.topic": "connect.configs",
    "offset.storage.topic": "connect.offsets",
    "status.storage.topic": "connect.status",
    "config.storage.replication.factor": 1,
    "offset.storage.replication.factor": 1,
    "offset.storage.partitions": 4,
    "status.storage.replication.factor": 1,
    "status.storage.partitions": 2,
    "connector.client.config.override.policy": "All",
    "offset.flush.interval.ms": 5000,
    "session.timeout.ms": 10000,
    "heartbeat.interval.ms": 3000,
    "scheduled.rebalance.max.delay.ms": 0,
}


def link_plugin(home: Path) -> None:
    """Make a folder with the Iceberg sink as its only plugin, and in it the locked jars and no others.

    The cache may hold the jars of an older lock beside them, and two versions in one plugin break each other.
    """
    plugin = home / "plugins/iceberg"
    shutil.rmtree(plugin, ignore_errors=True)
    plugin.mkdir(parents=True)
    for jar in jars.jar_files("connect-iceberg"):
        (plugin / jar.name).symlink_to(jar)


def make_connect(home: Path, java: Path, port: int, kafka: int, logins: Credentials, secrets: dict[str, str]) -> Child:
    """`secrets` is the environment in which the sink finds its S3 credentials."""
    link_plugin(home)
    properties = PROPERTIES | {
        "bootstrap.servers": f"127.0.0.1:{kafka}",
        "listeners": f"http://127.0.0.1:{port}",
    }
    for name, value in client_properties(logins.kafka_password).items():
        properties |= {f"{client}{name}": value for client in CLIENTS}
    write_private_text(home / CONFIG, format_properties(properties))
    write_private_text(home / USERS, format_properties({STACK_USER: logins.connect_password}))
    # For curl.
    hosts = ("127.0.0.1", "localhost")
    netrc = "".join(f"machine {host} login {STACK_USER} password {logins.connect_password}\n" for host in hosts)
    write_private_text(home / NETRC, netrc)
    module = f"{AUTHENTICATION}.PropertyFileLoginModule"
    (home / LOGIN).write_text(f'KafkaConnect {{ {module} required file="{USERS}"; }};\n')
    options = [
        "-Xms128m",
        "-Xmx1g",
        *jvm.SHARED_OPTIONS,
        logging_option(home),
        f"-Djava.security.auth.login.config={LOGIN}",
    ]
    main = "org.apache.kafka.connect.cli.ConnectDistributed"
    # The sink reads the worker's configuration too: it looks for its file in this very command line.
    command = [str(java), *options, "-cp", jvm.relative_classpath("kafka"), main, CONFIG]
    ready = http_probe(f"http://127.0.0.1:{port}/connectors", login=(STACK_USER, logins.connect_password))
    return Child("connect", command, port, ready, secrets, seconds=120, folder=home)
