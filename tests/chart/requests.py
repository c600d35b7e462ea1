"""What all pods of a release ask for when every one that may run at once does."""

import re
from collections.abc import Iterator

from tests.chart.render import Object, of_kind

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
MIB = 2**20


def quantity(text: object) -> float:
    """Kubernetes' `500m` or `1Gi` as a number of cores or bytes."""
    number, unit = re.fullmatch(r"([\d.]+)([a-zA-Z]*)", str(text)).groups()
    return float(number) / 1000 if unit == "m" else float(number) * UNITS[unit]


def requests(objects: list[Object]) -> Iterator[tuple[str, int, float, float]]:
    """(name, pods at most, cores of a pod, bytes of a pod) of everything that makes pods."""
    largest = {
        resource["spec"]["scaleTargetRef"]["name"]: resource["spec"]["maxReplicas"]
        for resource in of_kind(objects, "HorizontalPodAutoscaler").values()
    }
    for resource in objects:
        kind, name, spec = resource["kind"], resource["metadata"]["name"], resource.get("spec", {})
        if kind in ("Deployment", "StatefulSet"):
            yield name, largest.get(name, spec.get("replicas", 1)), *_pod(spec["template"]["spec"])
        elif kind == "Job":
            yield name, 1, *_pod(spec["template"]["spec"])
        elif kind == "CronJob" and not spec.get("suspend"):
            yield name, 1, *_pod(spec["jobTemplate"]["spec"]["template"]["spec"])
        elif kind in ("KafkaNodePool", "KafkaConnect"):
            yield name, spec["replicas"], *_resources(spec)
        elif kind == "Kafka":
            operators = [spec["entityOperator"][part] for part in ("topicOperator", "userOperator")]
            sums = [_resources(part) for part in operators]
            yield f"{name}-entity-operator", 1, sum(cpu for cpu, _ in sums), sum(memory for _, memory in sums)
            if exporter := spec.get("kafkaExporter"):
                yield f"{name}-kafka-exporter", 1, *_resources(exporter)
        elif kind == "SparkApplication":
            yield from _spark(name, spec)
        elif kind == "ScheduledSparkApplication" and not spec.get("suspend"):
            yield from _spark(name, spec["template"])


def _resources(of: Object) -> tuple[float, float]:
    result = of["resources"]["requests"]
    return quantity(result["cpu"]), quantity(result["memory"])


def _pod(spec: Object) -> tuple[float, float]:
    """The larger of what its containers ask for together and what each of those before them asks for."""
    together = [_resources(one) for one in spec["containers"]]
    before = [_resources(one) for one in spec.get("initContainers", ())]
    cpu = max([sum(one[0] for one in together), *(one[0] for one in before)])
    return cpu, max([sum(one[1] for one in together), *(one[1] for one in before)])


def _spark(name: str, spec: Object) -> Iterator[tuple[str, int, float, float]]:
    dynamic = spec.get("dynamicAllocation") or {}
    most = dynamic["maxExecutors"] if dynamic.get("enabled") else spec["executor"].get("instances", 1)
    for role, pods in (("driver", 1), ("executor", most)):
        of = spec[role]
        memory = sum(int(of[part][:-1]) * {"m": MIB, "g": 2**30}[of[part][-1]] for part in ("memory", "memoryOverhead"))
        yield f"{name}-{role}", pods, quantity(of["coreRequest"]), memory
