"""KafkaTopic and KafkaUser: what Strimzi's entity operator does, by one pod that speaks to the brokers' inner port."""

import json
import secrets
from pathlib import Path
from typing import Any

from tests.cluster.standin import network, pods
from tests.cluster.standin.conditions import not_ready, ready
from tests.cluster.standin.fields import Refused, Section, whole
from tests.cluster.standin.kube import Kube

SCRIPT = Path(__file__).with_name("inpod.py")
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}


class Entities:
    """The topics and users of one Kafka cluster; remembers what was done, so that nothing is done twice."""

    def __init__(self, kube: Kube, cluster: str, image: str):
        self._kube, self._cluster, self._image = kube, cluster, image
        self._done = ""
        self._topics: set[str] = set()

    def pod(self, kafka: dict[str, Any]) -> None:
        """The pod in which inpod.py runs."""
        name = f"{self._cluster}-entity-operator"
        labels = {"strimzi.io/cluster": self._cluster, "strimzi.io/kind": "Kafka", "strimzi.io/name": name}
        container = {
            "name": "entities",
            "image": self._image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sleep", "infinity"],
            "securityContext": RESTRICTED,
            "volumeMounts": [{"name": "certs", "mountPath": "/etc/certs"}],
        }
        spec = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "certs", "secret": {"secretName": f"{self._cluster}-kafka-brokers"}}],
        }
        template = {"metadata": pods.metadata(labels, self._cluster, "entity-operator"), "spec": spec}
        network.close_entities(self._kube, kafka, labels)
        whole = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        self._kube.apply(pods.owned(kafka, "Deployment", name, labels, spec=whole))

    def reconcile(self, topics: list[dict[str, Any]], users: list[dict[str, Any]]) -> None:
        """Bring the brokers to what the resources say; they must be up. Raises Refused."""
        mine = {"strimzi.io/cluster": self._cluster}
        topics = [one for one in topics if mine.items() <= (one["metadata"].get("labels") or {}).items()]
        users = [one for one in users if mine.items() <= (one["metadata"].get("labels") or {}).items()]
        wanted = {name: of for topic in topics for name, of in [_topic(topic)]}
        passwords = {user["metadata"]["name"]: self._password(user) for user in users}
        parameters = {
            "bootstrap": f"{self._cluster}-kafka-bootstrap:9091",
            "topics": wanted,
            "gone": sorted(self._topics - set(wanted)),
            "users": passwords,
            "acls": {user["metadata"]["name"]: _acls(user) for user in users},
        }
        generations = [one["metadata"]["generation"] for one in (*topics, *users)]
        if pods.fingerprint(parameters, generations) == self._done:
            return
        output = self._kube.run(
            f"deploy/{self._cluster}-entity-operator",
            "python",
            "-c",
            SCRIPT.read_text(),
            parameters=json.dumps(parameters),
        )
        self._topics, faults = set(wanted), json.loads(output)["topics"]
        for topic in topics:
            name = topic["spec"].get("topicName", topic["metadata"]["name"])
            fault = faults[name]
            state = not_ready(topic, "NotSupported", fault) if fault else ready(topic)
            self._kube.status(topic, state | {"topicName": name})
        for user in users:
            name = user["metadata"]["name"]
            self._kube.status(user, ready(user) | {"username": name, "secret": name})
        # After the conditions, so that a pass that was cut off is made again.
        self._done = pods.fingerprint({**parameters, "gone": []}, generations)

    def _password(self, user: dict[str, Any]) -> str:
        name = user["metadata"]["name"]
        if kept := self._kube.get("Secret", name):
            return pods.decoded(kept)["password"]
        password = secrets.token_urlsafe(24)
        jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required "
        jaas += f'username="{name}" password="{password}";'
        labels = {"strimzi.io/cluster": self._cluster, "strimzi.io/kind": "KafkaUser"}
        self._kube.apply(pods.secret(user, name, labels, {"password": password, "sasl.jaas.config": jaas}))
        return password


def _topic(topic: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    with whole(topic) as spec:
        name = spec.take("topicName", topic["metadata"]["name"])
        config = {key: _text(value) for key, value in spec.take("config", {}).items()}
        return name, {"partitions": spec.need("partitions"), "replicas": spec.need("replicas"), "config": config}


def _acls(user: dict[str, Any]) -> list[dict[str, str]]:
    with whole(user) as spec:
        with spec.sub("authentication") as authentication:
            authentication.only("type", "scram-sha-512")
        with spec.sub("authorization") as authorization:
            authorization.only("type", "simple")
            return [rule for acl in authorization.subs("acls") for rule in _rules(acl)]


def _rules(acl: Section) -> list[dict[str, str]]:
    with acl:
        permission, host, operations = acl.take("type", "allow"), acl.take("host", "*"), acl.need("operations")
        with acl.sub("resource") as resource:
            kind = resource.need("type")
            pattern = resource.take("patternType", "literal")
            name = "kafka-cluster" if kind == "cluster" else resource.need("name")
            resource.take("name")
    if kind == "cluster" and pattern != "literal":
        raise Refused(f"{acl.path}: a cluster has no {pattern} pattern")
    common = {"type": kind, "name": name, "pattern": pattern, "permission": permission, "host": host}
    return [common | {"operation": operation} for operation in operations]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
