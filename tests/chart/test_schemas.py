"""Every object of every profile is what the API server and the operators would take."""

import copy
import json
from functools import cache
from pathlib import Path

import jsonschema_rs
import pytest

from tests.chart.profiles import PROFILES
from tests.chart.render import Object, pick, render

FILE = Path(__file__).parent / "schemas/kinds.json"


@cache
def kinds() -> dict:
    return json.loads(FILE.read_text())


@cache
def validator(kind: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({"$defs": kinds()["$defs"], "allOf": [kinds()["kinds"][kind]]})


def faults(item: Object) -> list[str]:
    """What is wrong with an object, one line each."""
    kind = f"{item['apiVersion']}/{item['kind']}"
    if kind not in kinds()["kinds"]:
        return [f"{kind} is not among the vendored schemas"]
    where = f"{item['kind']} {item['metadata']['name']}"
    return [f"{where} {list(error.instance_path)}: {error.message}" for error in validator(kind).iter_errors(item)]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_object_matches_its_schema(profile):
    values, files = PROFILES[profile]
    assert [fault for item in render(values, *files) for fault in faults(item)] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_no_two_objects_share_kind_and_name(profile):
    values, files = PROFILES[profile]
    names = [(item["kind"], item["metadata"]["name"]) for item in render(values, *files)]
    assert len(names) == len(set(names))


def test_unknown_field_is_detected():
    kafka = copy.deepcopy(pick(render(), "Kafka"))
    kafka["spec"]["kafka"]["replicas"] = 3  # v1beta2 had it
    (fault,) = faults(kafka)
    assert "replicas" in fault


def test_wrong_type_deep_in_pod_is_detected():
    provision = copy.deepcopy(pick(render(only="provision"), "Job"))
    provision["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = 1
    (fault,) = faults(provision)
    assert "env" in fault
