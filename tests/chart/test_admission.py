"""What Spark's drivers may make, as the chart tells the API server."""

import json
import re

import pytest

from tests.chart.profiles import PROFILES
from tests.chart.render import Object, of_kind, pick, render
from tests.chart.test_strict import applications

POLICY = "ValidatingAdmissionPolicy"


def table(policy: Object, variable: str) -> dict[str, str]:
    """The table that a variable of the policy asks by the driver's user."""
    (result,) = [one["expression"] for one in policy["spec"]["variables"] if one["name"] == variable]
    return json.loads(re.match(r"\{[^}]*\}", result)[0])


def used(application: Object) -> set[str]:
    """The secrets that the executors of an application are given."""
    executor, volumes = application["spec"]["executor"], application["spec"]["volumes"]
    mounted = {mount["name"] for mount in executor["volumeMounts"]}
    result = {volume["secret"]["secretName"] for volume in volumes if "secret" in volume and volume["name"] in mounted}
    return result | {entry["valueFrom"]["secretKeyRef"]["name"] for entry in executor["env"] if "valueFrom" in entry}


@pytest.mark.parametrize("profile", PROFILES)
def test_drivers_may_use_only_accounts_and_secrets_of_executors(profile: str):
    values, files = PROFILES[profile]
    objects = render(values, *files)
    wanted: dict[str, tuple[str, set[str]]] = {}
    for application in applications(objects):
        driver, executor = (application["spec"][role]["serviceAccount"] for role in ("driver", "executor"))
        user = f"system:serviceaccount:millrace:{driver}"
        secrets = used(application)
        assert wanted.setdefault(user, (executor, secrets)) == (executor, secrets), "one policy is enough for a driver"
    if not wanted:
        assert not of_kind(objects, POLICY)
        return
    policy = pick(objects, POLICY)
    assert table(policy, "account") == {user: executor for user, (executor, _) in wanted.items()}
    report = {user: set(filter(None, names.split(","))) for user, names in table(policy, "secrets").items()}
    assert report == {user: secrets for user, (_, secrets) in wanted.items()}
    (condition,) = policy["spec"]["matchConditions"]
    assert json.loads(condition["expression"].removeprefix("request.userInfo.username in ")) == sorted(wanted)


def test_policy_covers_every_driver_permission():
    objects = render()
    looked_at = pick(objects, POLICY)["spec"]["matchConstraints"]["resourceRules"][0]
    for name in ("millrace-train", "millrace-stream"):
        for rule in pick(objects, "Role", name)["rules"]:
            assert set(rule["resources"]) <= set(looked_at["resources"])
            if "create" not in rule["verbs"]:
                assert rule["resources"] == ["services"], "what it can't make, it can't put into another's place"


def test_releases_in_two_namespaces_have_separate_policies():
    policy, binding = pick(render(), POLICY), pick(render(), f"{POLICY}Binding")
    assert policy["metadata"]["name"] == binding["spec"]["policyName"] == "millrace-millrace-spark"
    labels = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchLabels"]
    assert labels == {"kubernetes.io/metadata.name": "millrace"}
    assert binding["spec"]["validationActions"] == ["Deny"]


def test_extra_secrets_are_allowed_and_policy_can_be_disabled():
    policy = pick(render({"admissionPolicy": {"executorSecrets": ["licence"]}}), POLICY)
    assert all(names.endswith(",licence") for names in table(policy, "secrets").values())
    assert not of_kind(render({"admissionPolicy": {"enabled": False}}), POLICY)
