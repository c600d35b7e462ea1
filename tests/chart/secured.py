"""A broker that asks for users and rights, with those of the rendered KafkaUsers; and a Connect worker as its user.

No cluster is needed: Kafka, Connect and S3 are those of the one-machine stack, started once more. TLS is left out,
since rights do not depend on it.
"""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

from millrace.local import connect, jars, java, kafka, ports, s3
from millrace.local.child import Child, http_probe, last_words, start_child
from millrace.runtime.properties import format_properties
from tests.chart.render import Object, of_kind, pick, render

ADMIN = "admin"
MILLRACE = ("-c", "from millrace.cli import main; main()")
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"
SECURED = f"""
listeners=SASL_PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners=SASL_PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}}
listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={SCRAM} username="{ADMIN}" password="{ADMIN}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{ADMIN};User:ANONYMOUS
"""
VALUES = {
    "kafka": {"replicas": 1, "replicationFactor": 1, "minInSyncReplicas": 1, "partitions": 2},
    "connect": {"commitIntervalSeconds": 1},
    "workloads": ["courses", "mooc", "urls"],
}


def password(user: str) -> str:
    return f"of-{user}"


def jaas(user: str) -> str:
    return f'{SCRAM} username="{user}" password="{password(user)}";'


class Secured:
    """Started parts and what clients need to find them."""

    def __init__(self, home: Path):
        self.home, self.objects = home, render(VALUES)
        (home / "logs").mkdir()
        taken: list[int] = []
        for _ in range(4):
            taken.append(ports.find_free_port(taken))
        self.kafka, self.controller, self.s3, self.connect = taken
        self.bootstrap = f"127.0.0.1:{self.kafka}"
        self.s3_keys = ("access-of-the-test", "secret-of-the-test")
        self.running: list[subprocess.Popen] = []

    def up(self) -> None:
        self._start(s3.make_s3(self.home, java.find_java(), self.s3, *self.s3_keys))
        self._start(self._broker())
        self._topics_and_rights()
        self.run(ADMIN, *MILLRACE, "provision", "--only", "buckets", "--only", "tables")
        self._start(self._worker())

    def down(self) -> None:
        """SIGTERM, then SIGKILL, as the supervisor does: Connect's shutdown now and then waits for ever for the threads
        of its own REST server (RestServer.stop, QueuedThreadPool.join)."""
        for process in reversed(self.running):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self, user: str, *arguments: str) -> str:
        """What a Python process prints as that user. Raises AssertionError with what it said when it fails."""
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=os.environ | self.environment(user), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def environment(self, user: str) -> dict[str, str]:
        return {
            "MILLRACE_HOME": str(self.home),
            "MILLRACE_WORKLOADS": ",".join(VALUES["workloads"]),
            "MILLRACE_SPARK_MEMORY": "768m",
            "MILLRACE_KAFKA_BOOTSTRAP": self.bootstrap,
            "MILLRACE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "MILLRACE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "MILLRACE_KAFKA_USERNAME": user,
            "MILLRACE_KAFKA_PASSWORD": ADMIN if user == ADMIN else password(user),
            "MILLRACE_CATALOG_JDBC": f"jdbc:sqlite:{self.home}/catalog.db",
            "MILLRACE_S3_ENDPOINT": f"http://127.0.0.1:{self.s3}",
            "MILLRACE_S3_ACCESS_KEY": self.s3_keys[0],
            "MILLRACE_S3_SECRET_KEY": self.s3_keys[1],
            "MILLRACE_CONNECT_URL": f"http://127.0.0.1:{self.connect}",
        }

    def client(self, user: str) -> dict[str, str]:
        """Options of kafka-python."""
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": ADMIN if user == ADMIN else password(user),
        }

    def _start(self, child: Child) -> None:
        log = self.home / f"logs/{child.name}.log"
        self.running.append(start_child(child, log, os.environ))
        until = time.monotonic() + 120
        while not child.ready():
            assert self.running[-1].poll() is None, f"{child.name} ended: {last_words(log)}"
            assert time.monotonic() < until, f"{child.name} does not answer: {last_words(log)}"
            time.sleep(0.2)

    def _broker(self) -> Child:
        """The one-machine broker's configuration with the security over it; users are there from the beginning."""
        plain = format_properties(kafka.broker_properties(self.kafka, self.controller, "nobody's"))
        over = SECURED.format(port=self.kafka, controller=self.controller)
        config = self.home / "kafka.properties"
        config.write_text(plain + over)
        users = {ADMIN: ADMIN} | {name: password(name) for name in of_kind(self.objects, "KafkaUser")}
        scram = [f"SCRAM-SHA-512=[name={name},password={secret}]" for name, secret in users.items()]
        identifier = kafka.make_cluster_id(uuid.uuid4)
        command = [str(java.find_java()), "-cp", jars.bundle_classpath("kafka")]
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", identifier, "-c", str(config)]
        added = [part for text in scram for part in ("--add-scram", text)]
        done = subprocess.run([*command, *tool, *added], capture_output=True, text=True, cwd=self.home)
        assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
        options = ["-Xms128m", "-Xmx384m", kafka.logging_option(self.home)]
        command[1:1] = options
        command += ["kafka.Kafka", str(config)]
        return Child("kafka", command, self.kafka, lambda: kafka.is_listening(self.kafka), folder=self.home)

    def _topics_and_rights(self) -> None:
        client = KafkaAdminClient(**self.client(ADMIN))
        topics = {
            item["spec"]["topicName"]: {
                "num_partitions": item["spec"]["partitions"],
                "replication_factor": item["spec"]["replicas"],
                "configs": item["spec"]["config"],
            }
            for item in of_kind(self.objects, "KafkaTopic").values()
        }
        client.create_topics(topics, wait_for_metadata=True)
        users = of_kind(self.objects, "KafkaUser").items()
        made = client.create_acls([acl for name, item in users for acl in rights(name, item)])
        assert not made["failed"], made
        client.close()

    def _worker(self) -> Child:
        """A worker with the configuration of the rendered KafkaConnect, and security as Strimzi writes it."""
        spec = pick(self.objects, "KafkaConnect")["spec"]
        user = spec["authentication"]["username"]
        security = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.jaas.config": jaas(user),
        }
        connect.link_plugin(self.home)
        config = {
            "bootstrap.servers": self.bootstrap,
            "group.id": spec["groupId"],
            "config.storage.topic": spec["configStorageTopic"],
            "offset.storage.topic": spec["offsetStorageTopic"],
            "status.storage.topic": spec["statusStorageTopic"],
            "listeners": f"http://127.0.0.1:{self.connect}",
            "plugin.path": str(self.home / "plugins"),
            **spec["config"],
            **{
                prefix + key: value
                for prefix in ("", "producer.", "consumer.", "admin.")
                for key, value in security.items()
            },
        }
        file = self.home / "connect.properties"
        file.write_text(
            "".join(
                f"{key}={str(value).lower() if value is True or value is False else value}\n"
                for key, value in config.items()
            )
        )
        main = "org.apache.kafka.connect.cli.ConnectDistributed"
        options = ["-Xms128m", "-Xmx512m", kafka.logging_option(self.home)]
        command = [str(java.find_java()), *options, "-cp", jars.bundle_classpath("kafka"), main, str(file)]
        secrets = {
            "AWS_ACCESS_KEY_ID": self.s3_keys[0],
            "AWS_SECRET_ACCESS_KEY": self.s3_keys[1],
            "AWS_REGION": "us-east-1",
            "CATALOG_PASSWORD": "of-the-catalog",
        }
        ready = http_probe(f"http://127.0.0.1:{self.connect}/connectors")
        return Child("connect", command, self.connect, ready, secrets, folder=self.home)

    def sink(self) -> dict[str, str]:
        """The rendered connector's configuration, with the catalog and the storage that are here."""
        spec = pick(self.objects, "KafkaConnector", "lake-courses")["spec"]
        (self.home / "staging").mkdir(exist_ok=True)
        here = {
            "connector.class": spec["class"],
            "tasks.max": str(spec["tasksMax"]),
            "iceberg.catalog.uri": f"jdbc:sqlite:{self.home}/catalog.db",
            "iceberg.catalog.clients": "1",
            "iceberg.catalog.s3.endpoint": f"http://127.0.0.1:{self.s3}",
            "iceberg.catalog.s3.staging-dir": str(self.home / "staging"),
        }
        return spec["config"] | here


def rights(user: str, item: Object) -> list[ACL]:
    """The rules of a KafkaUser as the broker takes them."""
    results = []
    for rule in item["spec"]["authorization"]["acls"]:
        of = rule["resource"]
        kind = {"transactionalId": ResourceType.TRANSACTIONAL_ID}.get(of["type"]) or ResourceType[of["type"].upper()]
        shape = ACLResourcePatternType.PREFIXED if of["patternType"] == "prefix" else ACLResourcePatternType.LITERAL
        for operation in rule["operations"]:
            name = {"DescribeConfigs": "DESCRIBE_CONFIGS"}.get(operation, operation.upper())
            pattern = ResourcePattern(kind, of["name"], shape)
            results.append(ACL(f"User:{user}", "*", ACLOperation[name], ACLPermissionType.ALLOW, pattern))
    return results
