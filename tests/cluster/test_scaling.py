"""The API grows under load, shrinks without it, and is replaced while callers ask."""

import pytest

from tests.cluster.release import Release
from tests.cluster.tools import wait
from tests.cluster.under_load import asked

API = "app.kubernetes.io/component=api,app.kubernetes.io/instance=millrace"


def replicas(release: Release) -> int:
    return release.get("deployment", "millrace-api")["status"].get("readyReplicas", 0)


@pytest.mark.thorough
def test_api_scales_out_under_load_and_back_in_without_failed_requests(served: Release):
    wait("the autoscaler's first look", 120, lambda: served.condition("hpa", "millrace-api", "ScalingActive"))
    wait("one pod", 180, lambda: replicas(served) == 1)
    with asked(served.address(), 8) as counted:
        wait("a second pod", 180, lambda: replicas(served) >= 2)
    wait("one pod again", 240, lambda: replicas(served) == 1)
    assert counted["failed"] == []


@pytest.mark.thorough
def test_rollout_under_load_fails_no_requests(served: Release):
    before = set(served.pods(API))
    with asked(served.address(), 4) as counted:
        served.kubectl("rollout", "restart", "deployment/millrace-api")
        served.kubectl("rollout", "status", "deployment/millrace-api", "--timeout=180s")
        wait("the old pods' end", 120, lambda: not before & {p["metadata"]["name"] for p in served.all("pod", API)})
    assert counted["failed"] == []
    assert counted["answers"] > 100


@pytest.mark.thorough
def test_new_champion_under_load_fails_no_requests_and_is_served(served: Release):
    before = served.champion()
    served.kubectl("delete", "sparkapplication", "millrace-train-courses")
    # Few enough that the training gets its share of two cores.
    with asked(served.address(), 2, pause=0.1) as counted:
        served.deploy("--set", "training.suspend=false")
        served.trained()
        try:
            wait("the new champion", 30, lambda: served.champion() != before)
        except AssertionError:
            pytest.fail(f"the API still serves {before}: {served.toolbox('millrace', 'models', 'list', 'courses')}")
    assert counted["failed"] == []
    assert counted["answers"] > 100
