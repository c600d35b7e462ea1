"""The doctor of the cluster: every check holds on the release, and a fault is found with its cure."""

import re

import pytest

from millrace.doctor.cluster import examine_cluster
from tests.cluster.release import Release
from tests.cluster.standin.operator import Operator


def test_doctor_waits_for_first_install_to_complete(served: Release, operators: Operator | None):
    if not served.trains_first:
        pytest.skip("this release began with the former chart, or was there before")
    code, stderr = served.arrival()
    assert "waiting, " in stderr
    assert "error:" not in stderr
    # The stand-in is no operator, which is a fault.
    assert code == (5 if operators else 0), stderr
    assert ("It is all there. Ask it:" in stderr) is (operators is None)


def test_every_check_passes_except_operators_when_stand_in_runs(
    filled: dict[str, dict], upgraded: tuple[dict, dict] | None, operators: Operator | None, release: Release
):
    # The chart of now: the previous one does not tell the images of now which workloads they have.
    result = {one["check"]: one for one in examine_cluster(release.name, "millrace")}
    inside = {"kafka", "s3 conditional PUT", "catalog", "lake", "clock"}
    assert {f"{name}, in the cluster" for name in inside} <= set(result)
    faults = {name for name, one in result.items() if not one["ok"]}
    assert faults == ({"operators"} if operators else set()), {name: result[name]["found"] for name in faults}
    # Other files ingest too: at least what this run began with.
    landed = re.search(r"courses: all (\d+) landed", result["lake, in the cluster"]["found"])
    assert landed
    assert int(landed[1]) >= filled["courses"]["accepted"]


def test_missing_release_is_reported_with_a_fix(release: Release):
    result = examine_cluster(release.name, "nothing")
    last = result[-1]
    assert not last["ok"]
    assert "nothing-doctor" in last["found"]
    assert "cronjob" in last["cure"]
