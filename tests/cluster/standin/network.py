"""The NetworkPolicies that Strimzi makes beside the chart's: who may reach brokers and workers."""

from typing import Any

from tests.cluster.standin import pods
from tests.cluster.standin.kube import Kube

# From another namespace, where the real one runs; here it is this machine, whose traffic to pods is never dropped.
CLUSTER_OPERATOR = {"podSelector": {"matchLabels": {"strimzi.io/kind": "cluster-operator"}}, "namespaceSelector": {}}


def close_brokers(kube: Kube, kafka: dict[str, Any], marks: dict[str, str], peers: list[dict[str, Any]] | None) -> None:
    """`marks` are the labels of all nodes; `peers` those that the listener names, everyone where it names none."""
    name = kafka["metadata"]["name"]
    nodes = {"podSelector": {"matchLabels": marks}}
    entities = {"podSelector": {"matchLabels": {"strimzi.io/name": f"{name}-entity-operator"}}}
    rules = [
        _rule(9090, [nodes, CLUSTER_OPERATOR]),
        _rule(9091, [CLUSTER_OPERATOR, nodes, entities]),
        _rule(8443, [CLUSTER_OPERATOR]),
        _rule(9093, peers),
    ]
    if "metricsConfig" in kafka["spec"]["kafka"]:
        rules.append(_rule(9404, None))
    _apply(kube, kafka, f"{name}-network-policy-kafka", marks, rules)


def close_entities(kube: Kube, kafka: dict[str, Any], marks: dict[str, str]) -> None:
    """Health and metrics of topic and user operator, open to everyone."""
    name = f"{kafka['metadata']['name']}-entity-operator"
    _apply(kube, kafka, name, marks, [_rule(8080, None), _rule(8081, None)])


def close_workers(kube: Kube, connect: dict[str, Any], marks: dict[str, str]) -> None:
    """The workers' REST is open to the workers themselves."""
    rules = [_rule(8083, [{"podSelector": {"matchLabels": marks}}, CLUSTER_OPERATOR])]
    if "metricsConfig" in connect["spec"]:
        rules.append(_rule(9404, None))
    _apply(kube, connect, f"{connect['metadata']['name']}-connect", marks, rules)


def _rule(port: int, peers: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {"ports": [{"protocol": "TCP", "port": port}]} | ({"from": peers} if peers else {})


def _apply(kube: Kube, by: dict[str, Any], name: str, marks: dict[str, str], rules: list[dict[str, Any]]) -> None:
    spec = {"podSelector": {"matchLabels": marks}, "policyTypes": ["Ingress"], "ingress": rules}
    kube.apply(pods.owned(by, "NetworkPolicy", name, marks, spec=spec))
