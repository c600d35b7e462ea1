"""What all pods of the stand-in share: owners, labels, and the parts of Strimzi's `template` that the chart sets."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from tests.cluster.standin.fields import Refused, Section

JAVA = ["java", "-XX:+ExitOnOutOfMemoryError", "-Dlog4j2.configurationFile=/etc/millrace-standin/log4j2.yaml"]
READ_SECRETS = """\
api=/dev/tcp/$KUBERNETES_SERVICE_HOST/$KUBERNETES_SERVICE_PORT
timeout 30 bash -c "until (<$api) 2>/dev/null; do sleep 1; done" ||
  { echo "the Kubernetes API, of which Strimzi's pods ask their secrets, does not answer"; exit 1; }
"""
"""What Strimzi's brokers and workers do before all else, by its provider of configuration from secrets."""
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
      - {name: kafka.authorizer.logger, level: INFO}
"""


def metadata(labels: dict[str, str], of: str, name: str, *content: Any) -> dict[str, Any]:
    """Of a pod: the labels that Strimzi's share with everyone's, which a selector of the chart must not take for its
    own, and a mark by which other content makes another pod. `of` is the resource, `name` what the pod is."""
    common = {
        "app.kubernetes.io/instance": of,
        "app.kubernetes.io/managed-by": "strimzi-cluster-operator",
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": f"strimzi-{of}",
    }
    return {"labels": labels | common, "annotations": {"standin/config": fingerprint(*content)}}


def owned(by: dict[str, Any], kind: str, name: str, labels: dict[str, str], **rest: Any) -> dict[str, Any]:
    """A resource that goes when its owner goes."""
    group = {"Secret": "v1", "Service": "v1", "ConfigMap": "v1", "ServiceAccount": "v1", "Pod": "v1", "Job": "batch/v1"}
    group |= {"SparkApplication": "sparkoperator.k8s.io/v1beta2", "NetworkPolicy": "networking.k8s.io/v1"}
    of = by["metadata"]
    return {
        "apiVersion": group.get(kind, "rbac.authorization.k8s.io/v1" if kind.startswith("Role") else "apps/v1"),
        "kind": kind,
        "metadata": {
            "name": name,
            "labels": labels | {"app.kubernetes.io/managed-by": "millrace-standin"},
            "ownerReferences": [
                {
                    "apiVersion": by["apiVersion"],
                    "kind": by["kind"],
                    "name": of["name"],
                    "uid": of["uid"],
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        **rest,
    }


def secret(by: dict[str, Any], name: str, labels: dict[str, str], content: dict[str, str]) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}
    return owned(by, "Secret", name, labels, type="Opaque", data=encoded)


def decoded(values: dict[str, Any]) -> dict[str, str]:
    """The content of a secret."""
    return {key: base64.b64decode(value).decode() for key, value in (values.get("data") or {}).items()}


def fingerprint(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def pod_fields(template: Section) -> dict[str, Any]:
    """The pod's part of a Strimzi template, as a pod spec."""
    with template.sub("pod") as pod:
        known = ["securityContext", "imagePullSecrets", "tolerations", "priorityClassName", "affinity", "volumes"]
        known += ["topologySpreadConstraints", "terminationGracePeriodSeconds"]
        return {name: value for name in known if (value := pod.take(name)) is not None}


def container_fields(template: Section, name: str) -> dict[str, Any]:
    """The container's part of a Strimzi template, as a container."""
    with template.sub(name) as container:
        result = {key: value for key in ("securityContext", "env") if (value := container.take(key)) is not None}
        mounts = container.take("volumeMounts", [])
        for mount in mounts:
            # Strimzi: "additional volumes can only be mounted inside /mnt".
            if not mount["mountPath"].startswith("/mnt/"):
                raise Refused(f"{container.path}.volumeMounts: {mount['mountPath']} is not inside /mnt")
        return result | {"volumeMounts": mounts}


def heap(spec: Section) -> list[str]:
    """JVM options from `jvmOptions`."""
    with spec.sub("jvmOptions") as options:
        result = [f"{name}{value}" for name in ("-Xms", "-Xmx") if (value := options.take(name))]
        for name, value in (options.take("-XX") or {}).items():
            result.append(
                f"-XX:{name}={value}" if value not in ("true", "false") else f"-XX:{'+-'[value == 'false']}{name}"
            )
        return result


def properties(config: dict[str, Any], forbidden: Callable[[str], bool], path: str) -> list[str]:
    """Lines of a properties file; what the operator keeps for itself is refused (the operator would drop it)."""
    if taken := [name for name in config if forbidden(name)]:
        raise Refused(f"{path}: Strimzi does not let a user set {', '.join(taken)}")
    return [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in config.items()]
