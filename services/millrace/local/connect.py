"""Kafka Connect in distributed mode, with the Iceberg sink as its only plugin."""

import shutil
from pathlib import Path

from millrace.local import jars
from millrace.local.child import Child, answers
from millrace.local.java import SHARED
from millrace.local.kafka import logging_option

PROPERTIES = """\
bootstrap.servers=127.0.0.1:{kafka}
group.id=millrace-connect
listeners=http://127.0.0.1:{port}
rest.advertised.host.name=127.0.0.1
plugin.path={plugins}
plugin.discovery=service_load
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
config.storage.topic=connect.configs
offset.storage.topic=connect.offsets
status.storage.topic=connect.status
config.storage.replication.factor=1
offset.storage.replication.factor=1
offset.storage.partitions=4
status.storage.replication.factor=1
status.storage.partitions=2
connector.client.config.override.policy=All
offset.flush.interval.ms=5000
session.timeout.ms=10000
heartbeat.interval.ms=3000
scheduled.rebalance.max.delay.ms=0
"""


def plugin_path(home: Path) -> Path:
    """A folder with the Iceberg sink as its only plugin, and in it the locked jars and no others.

    The cache may hold the jars of an older lock beside them, and two versions in one plugin break each other.
    """
    plugin = home / "plugins/iceberg"
    shutil.rmtree(plugin, ignore_errors=True)
    plugin.mkdir(parents=True)
    for jar in jars.files("connect-iceberg"):
        (plugin / jar.name).symlink_to(jar)
    return plugin.parent


def prepare(home: Path, java: Path, port: int, kafka: int, secrets: dict[str, str]) -> Child:
    """`secrets` is the environment in which the sink finds its S3 credentials."""
    config = home / "connect.properties"
    config.write_text(PROPERTIES.format(port=port, kafka=kafka, plugins=plugin_path(home)))
    options = ["-Xms128m", "-Xmx1g", *SHARED, logging_option(home)]
    main = "org.apache.kafka.connect.cli.ConnectDistributed"
    command = [str(java), *options, "-cp", jars.classpath("kafka"), main, str(config)]
    ready = answers(f"http://127.0.0.1:{port}/connectors")
    return Child("connect", command, port, ready, secrets, seconds=120)
