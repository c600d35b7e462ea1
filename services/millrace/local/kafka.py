"""A single KRaft node: broker and controller in one process, its log formatted once."""

import base64
import socket
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from millrace.errors import Unavailable
from millrace.local import jars
from millrace.local.child import Child, last_words
from millrace.local.java import SHARED

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=8
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=60000
"""
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
    return f"-Dlog4j2.configurationFile={file}"


def listening(port: int) -> bool:
    """Whether something accepts connections at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cluster_id(draw: Callable[[], uuid.UUID]) -> str:
    """A new cluster ID, 22 characters of URL-safe base64. One that begins with "-" would be an option: redrawn."""
    while (name := base64.urlsafe_b64encode(draw().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return name


def prepare(home: Path, java: Path, port: int, controller: int) -> Child:
    """Write the configuration, format the log directory once. Raises Unavailable when that fails."""
    data = home / "kafka"
    config = home / "kafka.properties"
    config.write_text(PROPERTIES.format(port=port, controller=controller, data=data))
    classpath = jars.classpath("kafka")
    if not (data / "meta.properties").exists():
        command = [java, "-cp", classpath, "kafka.tools.StorageTool", "format", "--standalone"]
        command += ["-t", cluster_id(uuid.uuid4), "-c", config]
        log = home / "logs/kafka-format.log"
        with log.open("wb") as output:
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise Unavailable(f"Kafka's storage in {data} can't be formatted: {last_words(log)} ({log})")
    # After a kill -9 the broker reads its log segments again before it listens: hence the long wait below.
    options = ["-Xms128m", "-Xmx512m", *SHARED, logging_option(home)]
    command = [str(java), *options, "-cp", classpath, "kafka.Kafka", str(config)]
    return Child("kafka", command, port, lambda: listening(port), seconds=180)
