"""The pods among rendered objects, and what Pod Security "restricted" asks of them."""

from collections.abc import Iterator

from tests.chart.render import Object

CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """("<kind> <name>", pod spec) of everything that Kubernetes itself makes pods of."""
    for item in objects:
        spec = item.get("spec", {})
        if item["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if item["kind"] == "Pod":
            yield f"Pod {item['metadata']['name']}", spec
        elif item["kind"] in ("CronJob", "Deployment", "Job", "StatefulSet"):
            yield f"{item['kind']} {item['metadata']['name']}", spec["template"]["spec"]


def containers(pod: Object) -> list[Object]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def strimzi_templates(item: Object) -> Iterator[tuple[Object, list[Object]]]:
    """(pod template, container templates) of a Kafka or KafkaConnect resource."""
    spec = item["spec"]
    if item["kind"] == "Kafka":
        parts = [spec["kafka"], spec["entityOperator"], *filter(None, [spec.get("kafkaExporter")])]
    else:
        parts = [spec]
    for part in parts:
        template = part["template"]
        yield template["pod"], [value for key, value in template.items() if key.lower().endswith("container")]
