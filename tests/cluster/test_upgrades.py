"""Upgrade, rollback, uninstall and a new install: what stays, stays. Runs last, since it takes the release away."""

import json

import pytest

from tests.cluster.release import PREVIOUS, Release
from tests.cluster.tools import Failed, run, wait
from tests.cluster.upgrade import Upgrade


@pytest.mark.thorough
def test_upgrade_from_previous_chart_keeps_data_and_models(previous: None, upgraded: Upgrade | None, served: Release):
    assert upgraded, "another run left its release of the chart of now"
    before = upgraded.before
    assert upgraded.after == before
    assert all(rows > 1000 for rows in before["rows"].values())
    assert set(before["champions"]) == {"courses/popularity"}
    assert PREVIOUS.stem in upgraded.charts
    assert upgraded.charts[-1] != PREVIOUS.stem


def test_upgrade_that_would_switch_to_an_empty_store_is_rejected(release: Release):
    other = str(release.store == "seaweedfs").lower()
    with pytest.raises(Failed, match=f"The objects of this release are in millrace-{release.store}"):
        release.deploy("--set", f"storage.minio.enabled={other}")


@pytest.mark.thorough
def test_upgrade_and_rollback_keep_data_and_models(served: Release):
    served.deploy()  # every training waits, in this revision and in the next: champions must stay
    served.serves()
    held = served.holds()
    revision = int(json.loads(served.helm("history", "-o", "json"))[-1]["revision"])
    served.deploy("--set", "api.bodyLimit=1000000,connect.commitIntervalSeconds=3")
    _unchanged(served, held)
    served.helm("rollback", str(revision), "--timeout", "10m")
    _unchanged(served, held)
    assert served.landed("courses", held["rows"]["courses"] + served.ingest("after", "courses", 500, 31)["accepted"])


def _unchanged(release: Release, held: dict) -> None:
    release.up()
    release.serves()
    assert release.holds() == held
    assert release.ask().status_code == 200


@pytest.mark.thorough
def test_uninstall_keeps_volumes_and_reinstall_resumes_with_them(served: Release):
    held = served.holds()
    _uninstall(served)
    # As charts/millrace/README.md says: the new Kafka learns its former id before its brokers start.
    served.deploy("--set", "kafka.paused=true")
    status = json.dumps({"status": {"clusterId": held["kafka"]}})
    served.kubectl("patch", "kafka", "millrace", "--subresource=status", "--type=merge", "-p", status)
    served.deploy()
    served.up()
    served.serves()
    for job in served.all("job", "millrace.io/ingest"):
        assert served.finished(job["metadata"]["name"])["already"]
    assert served.holds() == held
    assert served.landed("courses", held["rows"]["courses"] + served.ingest("new", "courses", 500, 47)["accepted"])


def _uninstall(served: Release) -> None:
    claims = {claim["metadata"]["name"] for claim in served.all("pvc")}
    assert claims == {"data-0-millrace-broker-0", "data-millrace-catalog-0", f"data-millrace-{served.store}-0"}
    served.helm("uninstall", "--wait", "--timeout", "5m")
    run("kubectl", "-n", served.name, "delete", "pod", "toolbox", "--wait=false")
    # What the operators made goes with its resource.
    wait("the brokers' end", 120, lambda: not served.all("pod", "strimzi.io/cluster=millrace"))
    assert {claim["metadata"]["name"] for claim in served.all("pvc")} == claims
