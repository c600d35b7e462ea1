"""The chart under what the true operators refuse: with each fix taken out of it, the stand-in refuses it."""

import copy
from collections.abc import Callable, Iterator

import pytest

from tests.chart.profiles import PROFILES
from tests.chart.render import Object, of_kind, render
from tests.cluster.standin import spark_submit, strict
from tests.cluster.standin.fields import Refused

Change = Callable[[list[Object]], None]


def examine(objects: list[Object]) -> None:
    """What the stand-in looks at before it starts anything. Raises Refused."""
    strict.check_hooks(objects)
    strict.check_reach(objects)
    for kafka in of_kind(objects, "Kafka").values():
        strict.check_volume_group(kafka["spec"]["kafka"]["template"]["pod"], "Kafka")
    for application in applications(objects):
        application["metadata"].setdefault("uid", "1")
        spark_submit.read(application, "millrace")


def applications(objects: list[Object]) -> Iterator[Object]:
    """Every SparkApplication, and those that schedules will make, under the names that they will have."""
    yield from of_kind(objects, "SparkApplication").values()
    for name, scheduled in of_kind(objects, "ScheduledSparkApplication").items():
        metadata = scheduled["metadata"] | {"name": f"{name}-{10**18}"}
        yield scheduled | {"kind": "SparkApplication", "metadata": metadata, "spec": scheduled["spec"]["template"]}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_accepted(profile: str):
    values, files = PROFILES[profile]
    examine(copy.deepcopy(render(values, *files)))


def test_longest_release_name_is_accepted():
    examine(copy.deepcopy(render(name="m" * 53)))


def change_pod(of: str, **changes: object) -> Change:
    def change(objects: list[Object]) -> None:
        (kafka,) = of_kind(objects, "Kafka").values()
        context = kafka["spec"]["kafka"]["template"]["pod"][of]
        context.update(changes)
        for name in [name for name, value in context.items() if value is None]:
            del context[name]

    return change


def change_application(part: str, **changes: object) -> Change:
    def change(objects: list[Object]) -> None:
        for application in of_kind(objects, "SparkApplication").values():
            spec = application["spec"]
            if part not in spec:
                continue
            spec[part] |= {name.replace("_", "."): value for name, value in changes.items()}
            spec[part] = {name: value for name, value in spec[part].items() if value is not None}

    return change


def make_hook(objects: list[Object]) -> None:
    job = next(job for name, job in of_kind(objects, "Job").items() if "provision" in name)
    job["metadata"]["annotations"] = {"helm.sh/hook": "post-install,post-upgrade"}


def lengthen(objects: list[Object]) -> None:
    for application in of_kind(objects, "SparkApplication").values():
        application["metadata"]["name"] += "-" + "x" * 40


def close_off(name: str) -> Change:
    def change(objects: list[Object]) -> None:
        policy = of_kind(objects, "NetworkPolicy")[name]["spec"]
        policy["egress"] = [rule for rule in policy["egress"] if "ipBlock" not in rule["to"][0]]

    return change


TAKEN_OUT: dict[str, tuple[Change, str]] = {
    "group of the brokers' volumes": (change_pod("securityContext", fsGroup=None), "can't write to a new volume"),
    "the right group": (change_pod("securityContext", fsGroup=1001), "fsGroup 1001"),
    "script of the executors' hook": (
        change_application("sparkConf", spark_kubernetes_decommission_script="/opt/elsewhere.sh"),
        r"FailedPreStopHook on executors, since /opt/elsewhere\.sh",
    ),
    "one way to keep shuffle files": (change_application("dynamicAllocation", shuffleTrackingEnabled=True), "tracking"),
    "the same, by the operator's default": (
        change_application("dynamicAllocation", shuffleTrackingEnabled=None),
        "tracking",
    ),
    "the webhook's changes": (change_application("driver", template={"spec": {}}), r"driver\.template"),
    "the operator's own settings": (change_application("sparkConf", spark_master="local"), r"spark\.master"),
    "short names": (lengthen, "no DNS label"),
    "no hook that waits": (make_hook, "helm waits for"),
    "the brokers' way to their certificates": (close_off("millrace-kafka-egress"), "Kafka millrace: .*Kubernetes API"),
    "the workers' way to theirs": (close_off("millrace-connect-egress"), "KafkaConnect millrace: .*Kubernetes API"),
}


@pytest.mark.parametrize("fix", TAKEN_OUT)
def test_stand_in_rejects_chart_when_fix_is_reverted(fix: str):
    change, reason = TAKEN_OUT[fix]
    objects = copy.deepcopy(render(None, "kind"))
    change(objects)
    with pytest.raises(Refused, match=reason):
        examine(objects)


STRIMZI_MAKES = {
    "NetworkPolicy": {"network-policy-kafka", "connect", "entity-operator", "kafka-exporter"},
    "Service": {"connect", "connect-api", "kafka-bootstrap", "kafka-brokers"},
    "ServiceAccount": {"connect", "entity-operator", "kafka", "kafka-exporter"},
    "Role": {"connect", "entity-operator", "kafka"},
    "RoleBinding": {"connect-connect-role", "entity-topic-operator-role", "entity-user-operator-role", "kafka-role"},
    "ConfigMap": {"connect-config", "entity-topic-operator-config", "entity-user-operator-config"},
    "Secret": {
        "cluster-ca",
        "cluster-ca-cert",
        "clients-ca",
        "clients-ca-cert",
        "cluster-operator-certs",
        "trustbundle",
    }
    | {"connect-tls-trusted-certs", "entity-topic-operator-certs", "entity-user-operator-certs"},
    "Deployment": {"entity-operator", "kafka-exporter"},
    "PodDisruptionBudget": {"connect", "entity-operator", "kafka"},
}
"""Kind -> what follows the name of the cluster in what Strimzi 1.2 makes of a Kafka and a Connect, as seen."""


@pytest.mark.parametrize("kind", STRIMZI_MAKES)
def test_chart_objects_do_not_collide_with_names_of_strimzi_objects(kind: str):
    objects = render({"kafka": {"exporter": {"enabled": True}}, "api": {"podDisruptionBudget": {"enabled": True}}})
    names = of_kind(objects, kind).keys()
    made = {f"millrace-{end}" for end in STRIMZI_MAKES[kind]}
    # A KafkaUser becomes a secret of its name.
    made |= of_kind(objects, "KafkaUser").keys() if kind == "Secret" else set()
    assert not names & made


def test_changed_workload_selection_reruns_no_training():
    def specs(*names: str) -> dict:
        objects = of_kind(render({"workloads": list(names)}), "SparkApplication")
        return {name: item["spec"] for name, item in objects.items()}

    before, after = specs("courses", "urls"), specs("courses", "urls", "mooc")
    assert before.items() <= after.items()
