"""Pod Security "restricted" for every pod that comes of the chart, and no password in any text."""

import json
import re

import pytest

from tests.chart.pods import CONTAINER, containers, pods, strimzi_templates
from tests.chart.profiles import PROFILES
from tests.chart.render import render

profiles = pytest.mark.parametrize("profile", PROFILES)


def rendered(profile):
    values, files = PROFILES[profile]
    return render(values, *files)


@profiles
def test_pods_run_unprivileged_on_read_only_filesystem(profile):
    for name, pod in pods(rendered(profile)):
        security = pod["securityContext"]
        assert security["runAsNonRoot"], name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            assert container["securityContext"].items() >= CONTAINER.items(), name
            mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert "/tmp" in mounts, f"{name} cannot write anywhere"


@profiles
def test_every_container_has_requests_and_limits(profile):
    for name, pod in pods(rendered(profile)):
        for container in containers(pod):
            for kind in ("requests", "limits"):
                assert set(container["resources"][kind]) >= {"cpu", "memory"}, name


@profiles
def test_no_pod_mounts_service_account_token(profile):
    for name, pod in pods(rendered(profile)):
        assert pod["automountServiceAccountToken"] is False, name


@profiles
def test_strimzi_pods_are_also_restricted(profile):
    for item in rendered(profile):
        if item["kind"] not in ("Kafka", "KafkaConnect"):
            continue
        for pod, result in strimzi_templates(item):
            rest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
            volumes = {"fsGroup": 0, "fsGroupChangePolicy": "OnRootMismatch"}
            # Brokers have claims; nothing else of Strimzi's has.
            brokers = item["kind"] == "Kafka" and pod is item["spec"]["kafka"]["template"]["pod"]
            assert pod["securityContext"] == (rest | volumes if brokers else rest)
            assert result
            for container in result:
                assert container["securityContext"] == CONTAINER


@profiles
def test_every_strimzi_container_has_limits(profile):
    for item in rendered(profile):
        spec = item.get("spec", {})
        if item["kind"] == "Kafka":
            operators = [spec["entityOperator"]["topicOperator"], spec["entityOperator"]["userOperator"]]
            parts = operators + list(filter(None, [spec.get("kafkaExporter")]))
        else:
            parts = [spec] if item["kind"] in ("KafkaConnect", "KafkaNodePool") else []
        for part in parts:
            assert set(part["resources"]["limits"]) >= {"cpu", "memory"}, item["metadata"]["name"]


@profiles
def test_passwords_are_only_ever_references(profile):
    secret = re.compile(r"password|secret.?key|access.?key|api.?keys", re.IGNORECASE)

    def walk(part, where):
        if isinstance(part, dict):
            if secret.search(str(part.get("name", ""))):
                assert not part.get("value"), f"{where}: {part}"
            for key, value in part.items():
                if secret.search(key) and isinstance(value, str):
                    assert value.startswith("${env:") or value in ("password", "Secret"), f"{where}.{key}: {value}"
                walk(value, f"{where}.{key}")
        elif isinstance(part, list):
            for value in part:
                walk(value, where)

    for item in rendered(profile):
        if item["kind"] not in ("Secret", "ConfigMap"):
            walk(item.get("spec", {}), f"{item['kind']} {item['metadata']['name']}")


@profiles
def test_generated_secret_appears_in_no_other_object(profile):
    objects = rendered(profile)
    made = [value for item in objects if item["kind"] == "Secret" for value in item["data"].values()]
    text = json.dumps([item for item in objects if item["kind"] != "Secret"])
    assert not [value for value in made if value in text]


def test_names_leave_room_for_operator_suffixes():
    for item in render({}, name="millrace-" + "r" * 20):
        assert len(item["metadata"]["name"]) <= 63, item["metadata"]["name"]
