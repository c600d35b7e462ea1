"""Kafka Connect in distributed mode, with the Iceberg sink as its only plugin."""

from pathlib import Path

from millrace.local import jars
from millrace.local.child import Child, answers
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


def prepare(home: Path, java: Path, port: int, kafka: int, secrets: dict[str, str]) -> Child:
    """`secrets` is the environment in which the sink finds its S3 credentials."""
    config = home / "connect.properties"
    # Connect scans the folders below plugin.path, one a plugin.
    plugins = jars.folder("connect-iceberg").parent / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    link = plugins / "iceberg"
    if not link.exists():
        link.symlink_to(jars.folder("connect-iceberg"), target_is_directory=True)
    config.write_text(PROPERTIES.format(port=port, kafka=kafka, plugins=plugins))
    options = ["-Xms128m", "-Xmx1g", "-XX:+UseG1GC", logging_option(home)]
    main = "org.apache.kafka.connect.cli.ConnectDistributed"
    command = [str(java), *options, "-cp", jars.classpath("kafka"), main, str(config)]
    ready = answers(f"http://127.0.0.1:{port}/connectors")
    return Child("connect", command, port, ready, secrets, seconds=120)
