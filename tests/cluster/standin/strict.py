"""What fails under the true operators although every field is known: refused here before anything is started."""

import re
from pathlib import Path
from typing import Any

from tests.cluster.standin.fields import Refused

SPARK_IMAGE = Path(__file__).parents[3] / "k8s/images/spark/Containerfile"
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
DECOMMISSION_SCRIPT = "/opt/decom.sh"
"""Spark's default, a file of the Apache project's own image."""
DENIED_CONF = re.compile(
    r"spark\.master|spark\.kubernetes\.(driver\.master|authenticate\..*|((driver|executor)\.)?container\.image)"
)
"""The spark-operator's webhook: these belong to fields of the resource, or to the operator."""


def check_volume_group(pod: dict[str, Any], path: str) -> dict[str, Any]:
    """The securityContext of a pod of Strimzi's with a claim; its own is used only where the resource gives none.

    A new volume belongs to root and is closed to others, and the image's user is in group 0.
    """
    security = pod.get("securityContext")
    if security is None:
        return {"fsGroup": 0}
    if security.get("fsGroup") != 0:
        raise Refused(
            f"{path}.template.pod.securityContext has fsGroup {security.get('fsGroup')!r}: user 1001 of group 0 can't "
            "write to a new volume, which belongs to root; Strimzi sets 0 only where there is no securityContext"
        )
    return security


def check_application(application: dict[str, Any]) -> None:
    """The spark-operator's validating webhook, and what Spark 4.0 then makes of the configuration. Raises Refused."""
    name, spec = application["metadata"]["name"], application["spec"]
    path = f"{application['kind']} {name}.spec"
    if not DNS_LABEL.fullmatch(name):
        raise Refused(f"{path}: the name is no DNS label of at most 63 letters, so its driver's Service can't be made")
    if spec.get("nodeSelector") and any((spec.get(role) or {}).get("nodeSelector") for role in ("driver", "executor")):
        raise Refused(f"{path}.nodeSelector: not at both the application and its driver or executor")
    conf = {str(key): str(value) for key, value in (spec.get("sparkConf") or {}).items()}
    if denied := sorted(key for key in conf if DENIED_CONF.fullmatch(key)):
        raise Refused(f"{path}.sparkConf: {', '.join(denied)} is not allowed, the resource has fields for it")
    for role in ("driver", "executor"):
        if (spec.get(role) or {}).get("template") is not None:
            raise Refused(f"{path}.{role}.template: the webhook then changes none of that role's pods")
    _check_decommission(spec, conf, path)


def _check_decommission(spec: dict[str, Any], conf: dict[str, str], path: str) -> None:
    if conf.get("spark.decommission.enabled") != "true":
        return
    script = conf.get("spark.kubernetes.decommission.script", DECOMMISSION_SCRIPT)
    if not re.search(rf"^COPY \S+ {re.escape(script)}$", SPARK_IMAGE.read_text(), re.MULTILINE):
        raise Refused(f"{path}: FailedPreStopHook on executors, since {script} is not in the image of {SPARK_IMAGE}")
    dynamic = spec.get("dynamicAllocation") or {}
    tracked = dynamic.get("enabled", False) and dynamic.get("shuffleTrackingEnabled") is not False
    if tracked and conf.get("spark.storage.decommission.enabled") == "true":
        raise Refused(f"{path}: shuffle tracking together with decommissioned storage keeps idle executors for long")


def check_reach(objects: list[dict[str, Any]]) -> None:
    """Strimzi's brokers and workers ask the Kubernetes API for certificates and passwords, so no policy may keep them
    from it. Raises Refused."""
    policies = [
        resource
        for resource in objects
        if resource["kind"] == "NetworkPolicy" and "Egress" in resource["spec"]["policyTypes"]
    ]
    for resource in objects:
        suffix = {"Kafka": "kafka", "KafkaConnect": "connect"}.get(resource["kind"])
        if suffix is None:
            continue
        name = resource["metadata"]["name"]
        labels = {
            "strimzi.io/cluster": name,
            "strimzi.io/kind": resource["kind"],
            "strimzi.io/name": f"{name}-{suffix}",
        }
        held = [policy["spec"] for policy in policies if _selects(policy["spec"], labels)]
        rules = [rule for spec in held for rule in spec.get("egress", ())]
        if held and not any(_reaches_api(rule) for rule in rules):
            raise Refused(f"{resource['kind']} {name}: a NetworkPolicy keeps its pods from the Kubernetes API")


def _selects(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    return (policy["podSelector"].get("matchLabels") or {}).items() <= labels.items()


def _reaches_api(rule: dict[str, Any]) -> bool:
    """By address: the API server is no pod."""
    ports = {port.get("port") for port in rule.get("ports", ())}
    return bool(ports & {443, 6443} or not ports) and any(
        "ipBlock" in peer for peer in rule.get("to", [{"ipBlock": {}}])
    )


def check_hooks(objects: list[dict[str, Any]]) -> None:
    """Helm waits for a hook to end, five minutes by default, and a Job may have to wait for the whole cluster."""
    for resource in objects:
        hook = (resource["metadata"].get("annotations") or {}).get("helm.sh/hook", "")
        if resource["kind"] in ("Job", "Pod") and hook not in ("", "test"):
            raise Refused(
                f"{resource['kind']} {resource['metadata']['name']} is the hook {hook}, whose end helm waits for"
            )
