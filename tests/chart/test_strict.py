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
def test_every_profile_is_taken(profile: str):
    values, files = PROFILES[profile]
    examine(copy.deepcopy(render(values, *files)))


def test_the_longest_release_name_is_taken():
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
def test_without_a_fix_the_stand_in_refuses(fix: str):
    change, reason = TAKEN_OUT[fix]
    objects = copy.deepcopy(render(None, "kind"))
    change(objects)
    with pytest.raises(Refused, match=reason):
        examine(objects)


STRIMZI_POLICIES = {"millrace-network-policy-kafka", "millrace-connect", "millrace-kafka-exporter"}
"""What Strimzi 1.2 calls its own for a cluster and a Connect named millrace."""


def test_no_policy_of_the_chart_has_the_name_of_one_that_strimzi_makes():
    values = {"kafka": {"exporter": {"enabled": True}}}
    names = of_kind(render(values), "NetworkPolicy").keys()
    assert "millrace-connect-egress" in names
    assert not names & STRIMZI_POLICIES


def test_another_choice_of_workloads_runs_no_training_again():
    def specs(*names: str) -> dict:
        found = of_kind(render({"workloads": list(names)}), "SparkApplication")
        return {name: item["spec"] for name, item in found.items()}

    before, after = specs("courses", "urls"), specs("courses", "urls", "mooc")
    assert before.items() <= after.items()
