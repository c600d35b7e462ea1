"""Kafka and KafkaNodePool as StatefulSets of KRaft nodes, with Strimzi's names, ports, certificates and principals."""

from typing import Any

from tests.cluster.standin import certificates, network, pods, strict
from tests.cluster.standin.fields import Refused, Section, whole
from tests.cluster.standin.kube import Kube

VERSION = "4.3.1"
SUPER_USER = "R-kafka"  # the certificate's common name, R for the cluster's
FORBIDDEN = (
    *("listeners", "advertised.", "broker.", "listener.", "inter.broker.listener.name", "sasl.", "ssl.", "security."),
    *("password.", "log.dir", "authorizer.", "super.user", "node.id", "process.roles", "controller.", "metadata.log"),
)
START = (
    f"set -eu\n{pods.READ_SECRETS}"
    + """\
id=$((FIRST_ID + ${HOSTNAME##*-}))
sed -e "s/@ID@/$id/g" -e "s/@POD@/$HOSTNAME/g" /etc/millrace-standin/server.properties >/tmp/server.properties
cat /etc/certs/tls.key /etc/certs/tls.crt >/tmp/node.pem
run() { java -cp '/opt/kafka/libs/*' -Dlog4j2.configurationFile=/etc/millrace-standin/log4j2.yaml "$@"; }
run -Xmx256m kafka.tools.StorageTool format --ignore-formatted -t "$CLUSTER_ID" -c /tmp/server.properties $FORMAT
exec java -cp '/opt/kafka/libs/*' -Dlog4j2.configurationFile=/etc/millrace-standin/log4j2.yaml \\
  -XX:+ExitOnOutOfMemoryError "$@" kafka.Kafka /tmp/server.properties
"""
)


def labels(cluster: str) -> dict[str, str]:
    return {"strimzi.io/cluster": cluster, "strimzi.io/kind": "Kafka", "strimzi.io/name": f"{cluster}-kafka"}


def reconcile(kube: Kube, kafka: dict[str, Any], pools: list[dict[str, Any]], image: str) -> None:
    """Make the cluster whose id is in its status. Raises Refused."""
    name = kafka["metadata"]["name"]
    mine = [pool for pool in pools if pool["metadata"]["labels"].get("strimzi.io/cluster") == name]
    if not mine:
        raise RuntimeError(f"Kafka {name} has no KafkaNodePool yet")
    with whole(kafka) as spec:
        with spec.sub("kafka") as section:
            lines, template, image, options, peers = _cluster(section, image)
        with spec.sub("entityOperator") as operator:
            for part in ("topicOperator", "userOperator", "template"):
                operator.take(part)  # entities.py is both operators, and needs a pod of its own only to speak TLS
        if spec.take("kafkaExporter"):
            raise Refused(f"Kafka {name}: the stand-in has no kafkaExporter; set kafka.exporter.enabled to false")
    node = _certificates(kube, kafka)
    numbered, first = [], 0
    for pool in sorted(mine, key=lambda pool: pool["metadata"]["name"]):
        numbered.append((pool, first))
        first += pool["spec"]["replicas"]
    voters = ",".join(
        f"{first + n}@{name}-{pool['metadata']['name']}-{n}.{name}-kafka-brokers.{kube.namespace}.svc:9090"
        for pool, first in numbered
        for n in range(pool["spec"]["replicas"])
        if "controller" in pool["spec"]["roles"]
    )
    _services(kube, kafka)
    network.close_brokers(kube, kafka, labels(name), peers)
    for pool, first in numbered:
        _pool(kube, kafka, pool, first, [*lines, f"controller.quorum.voters={voters}"], template, image, node,
              {"CLUSTER_ID": kafka["status"]["clusterId"], "FORMAT": options})  # fmt: skip


def _cluster(section: Section, image: str) -> tuple[list[str], dict[str, Any], str, str, list[dict[str, Any]] | None]:
    """Lines of server.properties, the pods' template, the image, options of the formatting, the listener's peers."""
    section.only("version", VERSION)
    metadata = section.take("metadataVersion")
    if section.take("rack"):
        raise Refused(f"{section.path}.rack: the stand-in does not read the zones of nodes; leave it out on one node")
    section.take("metricsConfig")  # Strimzi's reporter is a jar of its image; nothing in these tests reads metrics
    listeners = section.subs("listeners")
    if len(listeners) != 1:
        raise Refused(f"{section.path}.listeners: the stand-in runs one listener, named tls")
    with listeners[0] as listener:
        listener.only("name", "tls")
        listener.only("port", 9093)
        listener.only("type", "internal")
        listener.only("tls", True)
        peers = listener.take("networkPolicyPeers")
        with listener.sub("authentication") as authentication:
            authentication.only("type", "scram-sha-512")
    with section.sub("authorization") as authorization:
        authorization.only("type", "simple")
    lines = pods.properties(section.take("config", {}), lambda key: key.startswith(FORBIDDEN), f"{section.path}.config")
    with section.sub("template") as template:
        result = {"pod": pods.pod_fields(template), "container": pods.container_fields(template, "kafkaContainer")}
    options = f"--release-version {metadata}" if metadata else ""
    return lines, result, section.take("image") or image, options, peers


def _certificates(kube: Kube, kafka: dict[str, Any]) -> dict[str, str]:
    """The cluster CA, made once, and a certificate for its nodes; the latter's content."""
    name, space = kafka["metadata"]["name"], kube.namespace
    marks = {"strimzi.io/cluster": name, "strimzi.io/kind": "Kafka"}
    if kept := kube.get("Secret", f"{name}-kafka-brokers"):
        return pods.decoded(kept)
    ca = certificates.authority(f"cluster-ca v0 {name}")
    services = [f"{name}-kafka-bootstrap", f"*.{name}-kafka-brokers", f"{name}-kafka-brokers"]
    names = [service + end for service in services for end in ("", f".{space}", f".{space}.svc")]
    names += [f"{service}.{space}.svc.cluster.local" for service in services]
    node = certificates.signed(ca, SUPER_USER.replace("R", name, 1), names) | {"ca.crt": ca["ca.crt"]}
    kube.apply(pods.secret(kafka, f"{name}-cluster-ca-cert", marks, {"ca.crt": ca["ca.crt"]}))
    kube.apply(pods.secret(kafka, f"{name}-kafka-brokers", marks, node))
    return node


def _services(kube: Kube, kafka: dict[str, Any]) -> None:
    name = kafka["metadata"]["name"]
    ports = [{"name": "tcp-replication", "port": 9091}, {"name": "tcp-tls", "port": 9093}]
    bootstrap = {"selector": labels(name) | {"strimzi.io/broker-role": "true"}, "ports": ports}
    kube.apply(pods.owned(kafka, "Service", f"{name}-kafka-bootstrap", labels(name), spec=bootstrap))
    headless = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": labels(name)}
    headless["ports"] = [{"name": "tcp-ctrlplane", "port": 9090}, *ports]
    kube.apply(pods.owned(kafka, "Service", f"{name}-kafka-brokers", labels(name), spec=headless))


def _pool(
    kube: Kube,
    kafka: dict[str, Any],
    pool: dict[str, Any],
    first: int,
    lines: list[str],
    template: dict[str, Any],
    image: str,
    node: dict[str, str],
    environment: dict[str, str],
) -> None:
    """One StatefulSet R-<pool>, its pods R-<pool>-0, -1, ... and their claims data-<id>-R-<pool>-<n>."""
    cluster, name = kafka["metadata"]["name"], f"{kafka['metadata']['name']}-{pool['metadata']['name']}"
    with whole(pool) as spec:
        replicas, roles = spec.need("replicas"), spec.need("roles")
        claims, mounts, logs = _storage(spec)
        secured = strict.check_volume_group(template["pod"], f"Kafka {cluster}.spec.kafka") if claims else {}
        resources, heap = spec.take("resources", {}), pods.heap(spec)
    marks = labels(cluster) | {
        "strimzi.io/pool-name": pool["metadata"]["name"],
        "strimzi.io/broker-role": str("broker" in roles).lower(),
        "strimzi.io/controller-role": str("controller" in roles).lower(),
    }
    content = {"server.properties": "\n".join([*lines, *logs, *_listeners(cluster, roles, kube.namespace)]) + "\n"}
    content["log4j2.yaml"] = pods.LOGGING
    kube.apply(pods.owned(kafka, "ConfigMap", name, marks, data=content))
    container = template["container"]
    port = 9093 if "broker" in roles else 9090
    kube.apply(
        pods.owned(kafka, "StatefulSet", name, marks, spec={
            "serviceName": f"{cluster}-kafka-brokers",
            "replicas": replicas,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {key: marks[key] for key in ("strimzi.io/cluster", "strimzi.io/pool-name")}},
            "volumeClaimTemplates": claims,
            "template": {
                "metadata": pods.metadata(marks, cluster, "kafka", content, node),
                "spec": template["pod"] | {
                    "securityContext": secured,
                    "automountServiceAccountToken": False,
                    "containers": [container | {
                        "name": "kafka",
                        "image": image,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["bash", "-c", START, "kafka", *heap],
                        "env": [
                            *({"name": key, "value": value} for key, value in environment.items()),
                            {"name": "FIRST_ID", "value": str(first)},
                            *container.get("env", ()),
                        ],
                        "ports": [{"containerPort": number} for number in (9090, 9091, 9093)],
                        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 2},
                        "resources": resources,
                        "volumeMounts": [
                            *container["volumeMounts"],
                            *mounts,
                            {"name": "config", "mountPath": "/etc/millrace-standin"},
                            {"name": "certs", "mountPath": "/etc/certs"},
                            {"name": "tmp", "mountPath": "/tmp"},
                        ],
                    }],
                    "volumes": [
                        *template["pod"].get("volumes", ()),
                        {"name": "config", "configMap": {"name": name}},
                        {"name": "certs", "secret": {"secretName": f"{cluster}-kafka-brokers"}},
                        {"name": "tmp", "emptyDir": {}},
                    ],
                },
            },
        })
    )  # fmt: skip


def _storage(spec: Section) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """(volume claims, mounts, properties) of a pool's JBOD."""
    claims, mounts, folders, metadata = [], [], [], None
    with spec.sub("storage") as storage:
        storage.only("type", "jbod")
        for volume in storage.subs("volumes"):
            with volume:
                volume.only("type", "persistent-claim")
                volume.only("deleteClaim", False)
                number, size, class_ = volume.need("id"), volume.need("size"), volume.take("class")
                folder = f"/var/lib/kafka/data-{number}"
                claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
                claims.append(
                    {
                        "metadata": {"name": f"data-{number}"},
                        "spec": claim | ({"storageClassName": class_} if class_ else {}),
                    }
                )
                mounts.append({"name": f"data-{number}", "mountPath": folder})
                folders.append(f"{folder}/kafka-log")
                if volume.only("kraftMetadata", "shared"):
                    metadata = folders[-1]
    return claims, mounts, [f"log.dirs={','.join(folders)}", f"metadata.log.dir={metadata or folders[0]}"]


def _listeners(cluster: str, roles: list[str], namespace: str) -> list[str]:
    """Nodes speak TLS with certificates on both sides; clients TLS with SCRAM; who has no ACL may do nothing."""
    domain = f"@POD@.{cluster}-kafka-brokers.{namespace}.svc"
    ports = {"CONTROLPLANE": 9090, "REPLICATION": 9091, "TLS": 9093}
    mine = [name for name in ports if ("controller" if name == "CONTROLPLANE" else "broker") in roles]
    brokers = [f"{name}://{domain}:{ports[name]}" for name in mine if name != "CONTROLPLANE"]
    return [
        "node.id=@ID@",
        f"process.roles={','.join(roles)}",
        f"listeners={','.join(f'{name}://0.0.0.0:{ports[name]}' for name in mine)}",
        *([f"advertised.listeners={','.join(brokers)}", "inter.broker.listener.name=REPLICATION"] if brokers else []),
        "controller.listener.names=CONTROLPLANE",
        "listener.security.protocol.map=CONTROLPLANE:SSL,REPLICATION:SSL,TLS:SASL_SSL",
        *(f"listener.name.{name}.ssl.client.auth=required" for name in ("controlplane", "replication")),
        "listener.name.tls.sasl.enabled.mechanisms=SCRAM-SHA-512",
        "listener.name.tls.scram-sha-512.sasl.jaas.config="
        "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "ssl.keystore.type=PEM",
        "ssl.keystore.location=/tmp/node.pem",
        "ssl.truststore.type=PEM",
        "ssl.truststore.location=/etc/certs/ca.crt",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        f"super.users=User:CN={cluster}-kafka,O=io.strimzi",
    ]


def ready(kube: Kube, cluster: str) -> bool:
    """All nodes of all pools run and are ready."""
    sets = kube.list("StatefulSet", f"strimzi.io/cluster={cluster},strimzi.io/kind=Kafka")
    return bool(sets) and all(
        result.get("status", {}).get("readyReplicas", 0) == result["spec"]["replicas"]
        and result["status"].get("updatedReplicas", 0) == result["spec"]["replicas"]
        for result in sets
    )
