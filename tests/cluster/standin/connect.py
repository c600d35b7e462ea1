"""KafkaConnect as a StatefulSet of distributed workers behind R-connect-api, and KafkaConnector over its REST."""

import time
from typing import Any

import httpx

from tests.cluster.standin import network, pods
from tests.cluster.standin.conditions import not_ready, ready
from tests.cluster.standin.fields import Refused, Section, whole
from tests.cluster.standin.kafka import VERSION
from tests.cluster.standin.kube import Kube

FORBIDDEN = ("ssl.", "sasl.", "security.", "listeners", "plugin.path", "rest.", "bootstrap.servers", "group.id")
START = (
    f"set -eu\n{pods.READ_SECRETS}"
    + """\
cat /etc/trusted/*/* >/tmp/trusted.pem || true
sed -e "s/@IP@/$POD_IP/g" /etc/millrace-standin/connect.properties >/tmp/connect.properties
exec java -cp '/opt/kafka/libs/*' -Dlog4j2.configurationFile=/etc/millrace-standin/log4j2.yaml \\
  -XX:+ExitOnOutOfMemoryError "$@" org.apache.kafka.connect.cli.ConnectDistributed /tmp/connect.properties
"""
)


def labels(name: str) -> dict[str, str]:
    return {"strimzi.io/cluster": name, "strimzi.io/kind": "KafkaConnect", "strimzi.io/name": f"{name}-connect"}


def reconcile(kube: Kube, connect: dict[str, Any]) -> None:
    """Make the workers. Raises Refused."""
    name = connect["metadata"]["name"]
    own = f"{name}-connect"
    with whole(connect) as spec:
        spec.only("version", VERSION)
        spec.take("metricsConfig")  # see kafka.py
        if spec.take("rack"):
            raise Refused(f"{spec.path}.rack: the stand-in does not read the zones of nodes; leave it out on one node")
        image, replicas, heap = spec.need("image"), spec.need("replicas"), pods.heap(spec)
        resources = spec.take("resources", {})
        lines, trusted = _properties(kube, spec)
        with spec.sub("template") as template:
            pod, container = pods.pod_fields(template), pods.container_fields(template, "connectContainer")
            account = template.take("serviceAccount")
    content = {"connect.properties": "\n".join(lines) + "\n", "log4j2.yaml": pods.LOGGING}
    metadata = (account or {}).get("metadata", {})
    resource = pods.owned(connect, "ServiceAccount", own, labels(name), automountServiceAccountToken=False)
    resource["metadata"]["annotations"] = metadata.get("annotations", {})
    kube.apply(resource)
    kube.apply(pods.secret(connect, f"{own}-standin", labels(name), content))
    port = {"name": "rest-api", "port": 8083}
    service = {"selector": labels(name), "ports": [port]}
    kube.apply(pods.owned(connect, "Service", f"{own}-api", labels(name), spec=service))
    volumes = [
        {"name": "config", "secret": {"secretName": f"{own}-standin"}},
        {"name": "tmp", "emptyDir": {}},
        *({"name": f"trusted-{n}", "secret": source} for n, source in enumerate(trusted)),
    ]
    mounts = [
        {"name": "config", "mountPath": "/etc/millrace-standin"},
        {"name": "tmp", "mountPath": "/tmp"},
        *({"name": f"trusted-{n}", "mountPath": f"/etc/trusted/{n}"} for n in range(len(trusted))),
    ]
    network.close_workers(kube, connect, labels(name))
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    worker = container | {
        "name": own,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["bash", "-c", START, "connect", *heap],
        "env": [address, *container.get("env", ())],
        "ports": [{"containerPort": 8083}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8083}, "periodSeconds": 2, "timeoutSeconds": 5},
        # Strimzi's own, after which a worker is killed; its readiness looks for the first time after 60 s, too.
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8083}, "initialDelaySeconds": 60, "timeoutSeconds": 5},
        "resources": resources,
        "volumeMounts": [*container["volumeMounts"], *mounts],
    }
    result = pod | {
        "automountServiceAccountToken": False,
        "serviceAccountName": own,
        "containers": [worker],
        "volumes": [*pod.get("volumes", ()), *volumes],
    }
    template = {"metadata": pods.metadata(labels(name), name, "kafka-connect", content)}
    workers = {
        "serviceName": own,
        "replicas": replicas,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": labels(name)},
        "template": template | {"spec": result},
    }
    kube.apply(pods.owned(connect, "StatefulSet", own, labels(name), spec=workers))


def _properties(kube: Kube, spec: Section) -> tuple[list[str], list[dict[str, Any]]]:
    """The workers' properties, and the secrets whose certificates they trust."""
    lines = [
        f"bootstrap.servers={spec.need('bootstrapServers')}",
        f"group.id={spec.need('groupId')}",
        *(f"{kind}.storage.topic={spec.need(f'{kind}StorageTopic')}" for kind in ("config", "offset", "status")),
        "listeners=http://0.0.0.0:8083",
        "rest.advertised.host.name=@IP@",
        "plugin.path=/opt/kafka/plugins",
    ]
    security, trusted = [], []
    if "tls" in spec:
        with spec.sub("tls") as tls:
            for certificate in tls.subs("trustedCertificates"):
                with certificate:
                    source = {"secretName": certificate.need("secretName")}
                    if kube.get("Secret", source["secretName"]) is None:
                        raise Waiting(f"Secret {source['secretName']} not found")
                    if file := certificate.take("certificate"):
                        source["items"] = [{"key": file, "path": file}]
                    else:
                        certificate.only("pattern", "*.crt", "*.pem")
                    trusted.append(source)
        security += ["ssl.truststore.type=PEM", "ssl.truststore.location=/tmp/trusted.pem"]
    protocol = "SSL" if security else "PLAINTEXT"
    if "authentication" in spec:
        with spec.sub("authentication") as authentication:
            kind = authentication.only("type", "scram-sha-512", "scram-sha-256")
            user = authentication.need("username")
            with authentication.sub("passwordSecret") as source:
                name, key = source.need("secretName"), source.need("password")
        kept = kube.get("Secret", name)
        if kept is None or key not in pods.decoded(kept):
            raise Waiting(f"the secret {name} with the key {key} is not there yet")
        password = pods.decoded(kept)[key]
        jaas = (
            f'org.apache.kafka.common.security.scram.ScramLoginModule required username="{user}" password="{password}";'
        )
        security += [f"sasl.mechanism={kind.upper()}", f"sasl.jaas.config={jaas}"]
        protocol = f"SASL_{protocol}"
    security.append(f"security.protocol={protocol}")
    lines += [prefix + line for prefix in ("", "producer.", "consumer.", "admin.") for line in security]
    config = pods.properties(spec.take("config", {}), lambda key: key.startswith(FORBIDDEN), f"{spec.path}.config")
    return lines + config, trusted


class Waiting(Exception):
    """Something that another resource brings is not there yet."""


class Connectors:
    """The connectors of one Connect cluster."""

    def __init__(self, kube: Kube, cluster: str):
        self._kube, self._cluster = kube, cluster
        self._restarts: dict[str, int] = {}
        self._next_try: dict[str, float] = {}

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._kube.service(method, f"{self._cluster}-connect-api:8083", path, **options)
        # 409 while the workers deal out their tasks, 500 when one is about to begin, 503 from the API server.
        if answer.status_code in (409, 502, 503) or (answer.status_code == 500 and "rebalance" in answer.text):
            raise Waiting(f"Connect deals out its tasks: {answer.status_code}")
        if answer.status_code != 404 and not answer.is_success:
            raise Refused(f"{method} {path}: {answer.text[:800]}")
        return answer

    def reconcile(self, connector: dict[str, Any]) -> None:
        """Put the configuration when it differs, restart what failed, report its state. Raises Refused, Waiting."""
        name = connector["metadata"]["name"]
        with whole(connector) as spec:
            config = {key: _text(value) for key, value in spec.take("config", {}).items()}
            config["connector.class"] = spec.need("class")
            config["tasks.max"] = str(spec.take("tasksMax", 1))
            state = spec.only("state", "running", "paused", "stopped") or "running"
            with spec.sub("autoRestart") as auto:
                restart, most = auto.take("enabled", False), auto.take("maxRestarts")
        wanted = config | {"name": name}
        present = self.ask("GET", f"/connectors/{name}/config")
        if present.status_code == 404 or present.json() != wanted:
            self.ask("PUT", f"/connectors/{name}/config", json=config)
        result = self.ask("GET", f"/connectors/{name}/status").json()
        if "connector" not in result:
            raise Waiting(f"{name} has no status yet")
        verb = {"running": "resume", "paused": "pause", "stopped": "stop"}[state]
        if result["connector"]["state"] not in (state.upper(), "FAILED", "UNASSIGNED", "RESTARTING"):
            self.ask("PUT", f"/connectors/{name}/{verb}")
        failed = [one for one in (result["connector"], *result["tasks"]) if one["state"] == "FAILED"]
        if failed and restart:
            self._restart(name, most)
        status = ready(connector)
        if failed:
            status = not_ready(connector, "TaskFailed", failed[0].get("trace", "")[-1500:])
        elif not result["tasks"] and state == "running":
            raise Waiting(f"{name} has no task yet")
        self._kube.status(connector, status | {"connectorStatus": result, "tasksMax": int(config["tasks.max"])})

    def _restart(self, name: str, most: int | None) -> None:
        """As Strimzi does: after 0, 2, 6, 12, ... minutes; here seconds, for the tests' sake."""
        count = self._restarts.get(name, 0)
        if (most is not None and count >= most) or time.monotonic() < self._next_try.get(name, 0):
            return
        self.ask("POST", f"/connectors/{name}/restart?includeTasks=true&onlyFailed=true")
        self._restarts[name] = count + 1
        self._next_try[name] = time.monotonic() + count**2 + count

    def prune(self, wanted: set[str]) -> None:
        """With strimzi.io/use-connector-resources, connectors without a resource are removed."""
        for name in set(self.ask("GET", "/connectors").json()) - wanted:
            self.ask("DELETE", f"/connectors/{name}")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
