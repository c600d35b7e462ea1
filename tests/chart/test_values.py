"""values.yaml: documented to the last value, and refused with a sentence where it could not work."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml

from tests.chart.profiles import EXTERNAL_CATALOG, EXTERNAL_KAFKA, EXTERNAL_STORAGE, PASSWORD_KAFKA
from tests.chart.render import CHART, ROOT, Refused, render

TOOLS = ROOT / "tools"
GENERATORS = sorted(TOOLS.glob("chart_*.py"))


def refusal(values):
    """What helm says to those values."""
    with pytest.raises(Refused) as caught:
        render(values)
    return str(caught.value)


def nested(path, value):
    """{"a": {"b": value}} of "a.b"."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


@pytest.mark.parametrize("tool", GENERATORS, ids=lambda file: file.name)
def test_generated_files_match_generator_output(tool):
    # Without the workload that exists only in the tests.
    environment = {key: value for key, value in os.environ.items() if key != "MILLRACE_WORKLOAD_MODULES"}
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_make_chart_files_runs_every_generator(tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/ran\n')
    python.chmod(0o755)
    subprocess.run(["make", "-o", ".venv/dev", "chart-files", f"BIN={tmp_path}"], cwd=ROOT, check=True)
    assert (tmp_path / "ran").read_text().splitlines() == [str(tool.relative_to(ROOT)) for tool in GENERATORS]


def test_every_value_has_a_comment():
    """A key of values.yaml stands below its comment. Below resources and labels the words are Kubernetes' own."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    above: list[tuple[int, str]] = []
    bare = []
    for number, line in enumerate(lines):
        key = re.match(r"^( *)([A-Za-z]\w*):", line)
        if not key:
            continue
        above = [entry for entry in above if entry[0] < len(key[1])]
        parent = above[-1][1] if above else ""
        above.append((len(key[1]), key[2]))
        if parent not in ("resources", "labels") and not lines[number - 1].lstrip().startswith("#"):
            bare.append(f"{number + 1}: {line}")
    assert bare == []


def test_every_schema_field_has_a_description():
    schema = json.loads((CHART / "values.schema.json").read_text())
    definitions = schema["$defs"]
    bare = [
        f"{name}.{key}"
        for name, part in [("", schema), *definitions.items()]
        for key, field in part.get("properties", {}).items()
        if not (field.get("description") or definitions[field["$ref"].split("/")[-1]].get("description"))
    ]
    assert bare == []


@pytest.mark.parametrize("profile", ["kind", "production"])
def test_profile_sets_only_existing_values(profile):
    known = yaml.safe_load((CHART / "values.yaml").read_text())

    def unknown(parameters, default, where=""):
        if not isinstance(parameters, dict) or not isinstance(default, dict) or not default:
            return []
        extra = [f"{where}{key}" for key in parameters if key not in default]
        return extra + [
            result
            for key, value in parameters.items()
            if key in default
            for result in unknown(value, default[key], f"{where}{key}.")
        ]

    assert unknown(yaml.safe_load((CHART / f"values-{profile}.yaml").read_text()), known) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("kafka.replica", 3),
        ("nothing", True),
        ("kafka.replicas", 0),
        ("kafka.replicas", "three"),
        ("kafka.heap", "1Gi"),
        ("kafka.controllers.replicas", 2),
        ("kafka.storage.size", "lots"),
        ("kafka.version", "3.9.0"),
        ("kafka.external.securityProtocol", "TLS"),
        ("kafka.external.bootstrap", "kafka"),
        ("connect.commitIntervalSeconds", 0),
        ("catalog.external.jdbc", "postgresql://db/iceberg"),
        ("catalog.user", 0),
        ("storage.buckets.lake", "Lake"),
        ("storage.external.endpoint", "s3.example.com"),
        ("image.pullPolicy", "Sometimes"),
        ("image.digests", {"api": "latest"}),
        ("podSecurity.user", 0),
        ("provision.resources.limits", {"cpu": None}),
    ],
)
def test_invalid_value_is_rejected_by_name(path, value):
    output = refusal(nested(path, value))
    assert "don't meet the specifications of the schema" in output
    assert path.replace(".", "/") in output or path.split(".")[-1] in output


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"kafka": {"replicas": 1}}, ["kafka.replicationFactor is 3", "kafka.replicas", "1"]),
        ({"kafka": {"replicationFactor": 1}}, ["kafka.minInSyncReplicas is 2", "kafka.replicationFactor", "1"]),
        ({"kafka": {"minInSyncReplicas": 3}}, ["kafka.minInSyncReplicas is 3", "kafka.replicationFactor is 3"]),
        (
            {"workloads": ["courses", "boats"]},
            ["workloads", '"boats"', "catalogue, courses, mooc, products, shop, urls"],
        ),
        (nested("kafka.external.enabled", True), ["kafka.external.enabled", "kafka.external.bootstrap"]),
        (nested("kafka.external.bootstrap", "k:9092"), ["kafka.external.bootstrap", "kafka.external.enabled"]),
        (
            nested("kafka.external", {"enabled": True, "bootstrap": "k:9092"}),
            ["kafka.external.saslMechanism SCRAM-SHA-512", "kafka.external.existingSecret"],
        ),
        (
            nested("kafka.external", EXTERNAL_KAFKA["kafka"]["external"] | {"securityProtocol": "SASL_PLAINTEXT"}),
            ["AWS_MSK_IAM", "SASL_PLAINTEXT"],
        ),
        (
            nested("kafka.external", EXTERNAL_KAFKA["kafka"]["external"] | {"existingSecret": "login"}),
            ["AWS_MSK_IAM", "kafka.external.existingSecret"],
        ),
        (
            nested("kafka.external", PASSWORD_KAFKA["kafka"]["external"] | {"securityProtocol": "SSL"}),
            ["kafka.external.securityProtocol SSL", "kafka.external.existingSecret"],
        ),
        (
            nested("kafka.external", PASSWORD_KAFKA["kafka"]["external"] | {"securityProtocol": "SASL_PLAINTEXT"}),
            ["kafka.external.caSecret", "SASL_PLAINTEXT"],
        ),
        (
            {"kafka": EXTERNAL_KAFKA["kafka"] | {"keepOnUninstall": True}},
            ["kafka.keepOnUninstall", "kafka.external.enabled"],
        ),
        (
            {"kafka": EXTERNAL_KAFKA["kafka"] | {"paused": True}},
            ["kafka.paused", "kafka.external.enabled"],
        ),
        (nested("catalog.external.enabled", True), ["catalog.external.enabled", "catalog.external.jdbc"]),
        (
            nested("catalog.external.jdbc", EXTERNAL_CATALOG["catalog"]["external"]["jdbc"]),
            ["catalog.external.jdbc", "catalog.external.enabled"],
        ),
        (
            nested("storage.external", {"enabled": True, "endpoint": "https://s3.example.com"}),
            ["storage.external.endpoint", "storage.external.existingSecret"],
        ),
        (
            nested("storage.external.endpoint", "https://s3.example.com"),
            ["storage.external.endpoint", "storage.external.enabled"],
        ),
        (
            nested(
                "storage.external",
                EXTERNAL_STORAGE["storage"]["external"] | {"serviceAccountAnnotations": {"role": "x"}},
            ),
            ["storage.external.existingSecret", "storage.external.serviceAccountAnnotations"],
        ),
        (
            nested("storage.buckets.lake", "millrace-models"),
            ["storage.buckets.lake", "storage.buckets.models"],
        ),
    ],
)
def test_conflicting_values_are_rejected_naming_both(values, named):
    output = refusal(values)
    assert all(part in output for part in named), output
    assert "nil pointer" not in output


def test_digest_for_unknown_image_is_rejected():
    assert "'api', 'spark', 'connect', 'ingest'" in refusal(nested("image.digests.web", "sha256:" + "0" * 64))


@pytest.mark.parametrize("registry", ["registry.example.com/team", "registry.example.com/team/"])
def test_images_come_from_the_registry_by_tag_or_digest(registry):
    digest = "sha256:" + "a" * 64
    text = str(render({"image": {"registry": registry, "tag": "1.2", "digests": {"connect": digest}}}))
    assert "'registry.example.com/team/millrace-api:1.2'" in text
    assert f"'registry.example.com/team/millrace-connect@{digest}'" in text


def test_pull_secrets_reach_every_pod():
    text = str(render({"image": {"pullSecrets": ["pull"]}}))
    without = str(render())
    assert text.count("'imagePullSecrets'") >= 5
    assert "imagePullSecrets" not in without
