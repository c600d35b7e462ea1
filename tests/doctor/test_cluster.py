"""What the doctor of a cluster says of pods, and of a release that is still arriving."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from millrace.doctor import pods, release_wait
from millrace.doctor.checks import CheckFailedError
from millrace.errors import NotFoundError, UnavailableError

Object = dict[str, Any]


def stamp(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(phase: str, *states: Object, conditions: list[Object] | None = None, seconds: float = 300) -> Object:
    statuses = [{"name": "main", "restartCount": 4, "state": {}} | state for state in states]
    return {
        "metadata": {"name": "p", "creationTimestamp": stamp(seconds)},
        "status": {"phase": phase, "containerStatuses": statuses, "conditions": conditions or []},
    }


def waiting(reason: str, message: str = "") -> Object:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


NO_NODE = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient memory."}]


@pytest.mark.parametrize(
    ("resource", "reason", "hopeless"),
    [
        (pod("Pending", conditions=NO_NODE), "no node for it (0/1 nodes are available: 1 Insufficient memory.)", False),
        (pod("Pending", waiting("ImagePullBackOff", "not found")), "ImagePullBackOff not found", True),
        (pod("Pending", waiting("CreateContainerConfigError", 'secret "x" not found')), 'secret "x" not found', True),
        (pod("Pending", waiting("ContainerCreating")), "ContainerCreating", False),
        (
            pod("Running", waiting("CrashLoopBackOff") | {"lastState": {"terminated": {"exitCode": 137}}}),
            "main ended with 137 4 times; `kubectl logs p --previous` says why",
            False,
        ),
        (pod("Pending"), "it has not started", False),
    ],
)
def test_pod_not_running_is_reported_with_reason_and_duration(resource: Object, reason: str, hopeless: bool):
    resource["metadata"]["creationTimestamp"] = stamp(300)
    trouble = pods.find_trouble(resource)
    assert trouble is not None
    assert trouble.reason.endswith(reason)
    assert trouble.hopeless is hopeless
    assert 290 < trouble.seconds < 330
    assert str(trouble) == f"pod p: {trouble.reason}, for 5 minutes"


@pytest.mark.parametrize("phase", ["Running", "Succeeded", "Failed"])
def test_running_or_finished_pod_reports_no_problem(phase: str):
    assert pods.find_trouble(pod(phase, {"state": {"running": {}}})) is None


def test_terminating_pod_reports_no_problem():
    leaving = pod("Pending", conditions=NO_NODE)
    leaving["metadata"]["deletionTimestamp"] = stamp(0)
    assert pods.find_trouble(leaving) is None


class Cluster:
    """The objects of a namespace by kind, as the doctor asks for them."""

    def __init__(self, **kinds: list[Object]):
        self.kinds = kinds

    def objects(self, kind: str, namespace: str | None = None, selector: str = "") -> list[Object]:
        return self.kinds.get(kind.partition(".")[0], [])


def thing(name: str, spec: Object | None = None, **status: Any) -> Object:
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-11-28T08:41:07Z"},
        "spec": spec or {},
        "status": status,
    }


def ready(name: str) -> Object:
    return thing(name, conditions=[{"type": "Ready", "status": "True"}])


WHOLE = {
    "kafkas": [ready("millrace")],
    "kafkatopics": [ready(f"topic-{number}") for number in range(4)],
    "kafkaconnects": [ready("millrace")],
    "deployments": [thing("millrace-api", {"replicas": 1}, readyReplicas=1)],
    "statefulsets": [thing("millrace-catalog", {"replicas": 1}, readyReplicas=1)],
    "jobs": [thing("millrace-provision-1", succeeded=1)],
    "sparkapplications": [
        thing("millrace-train-courses", applicationState={"state": "COMPLETED"}),
        thing("millrace-stream-urls", {"restartPolicy": {"type": "Always"}}, applicationState={"state": "RUNNING"}),
        thing("millrace-train-mooc", {"suspend": True}),
    ],
}


WARNED_BEFORE_AND_AFTER = [
    {"type": "Warning", "status": "True", "lastTransitionTime": "2026-11-21T08:50:00Z"},
    {"type": "Ready", "status": "False", "message": "no quorum", "lastTransitionTime": "2026-11-21T09:10:00Z"},
    {"type": "Warning", "status": "True", "lastTransitionTime": "2026-11-21T09:30:00Z"},
]


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch):
    def look(**changed: list[Object]) -> list[str]:
        cluster = Cluster(**(WHOLE | changed))
        monkeypatch.setattr(release_wait, "list_objects", cluster.objects)
        monkeypatch.setattr(pods, "list_objects", cluster.objects)
        return list(release_wait.find_missing("millrace", "millrace"))

    return look


def test_ready_release_reports_nothing_missing(missing):
    assert missing() == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"kafkas": [thing("millrace", conditions=[{"type": "Ready", "status": "False", "message": "no quorum"}])]},
            "kafka millrace: no quorum, since 08:41:07 UTC",
        ),
        (
            {"kafkas": [thing("millrace", conditions=WARNED_BEFORE_AND_AFTER)]},
            "kafka millrace: no quorum, since 09:10:00 UTC",
        ),
        (
            {"kafkatopics": [thing(f"t{n}") for n in range(5)]},
            "5 kafkatopics, such as t0: not reported by the operator",
        ),
        (
            {"deployments": [thing("millrace-api", {"replicas": 2}, readyReplicas=1)]},
            "millrace-api: 1 of 2 pods ready (it gets ready with its first model), since 08:41:07 UTC",
        ),
        ({"jobs": [thing("millrace-ingest-1", active=1)]}, "job millrace-ingest-1: not done, since 08:41:07 UTC"),
        (
            {"sparkapplications": [thing("t", applicationState={"state": "FAILING", "errorMessage": "exit 1"})]},
            "training t: FAILING exit 1, since 08:41:07 UTC",
        ),
        (
            {"sparkapplications": [thing("t", {"arguments": ["--follow"]}, applicationState={"state": "SUBMITTED"})]},
            "training t: SUBMITTED, since 08:41:07 UTC",
        ),
        ({"pods": [pod("Pending", conditions=NO_NODE)]}, "p: no node for it (0/1 nodes are available"),
    ],
)
def test_missing_part_is_reported_with_reason_and_start_time(missing, changed: dict[str, list[Object]], sentence: str):
    (report,) = missing(**changed)
    assert report.startswith(sentence)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"jobs": [thing("j", conditions=[{"type": "Failed", "status": "True"}])]},
            "job j has failed; `kubectl logs job/j`",
        ),
        (
            {"sparkapplications": [thing("t", applicationState={"state": "FAILED", "errorMessage": "exit 5"})]},
            "t has failed: exit 5; its driver's log says more",
        ),
        ({"pods": [pod("Pending", waiting("ErrImageNeverPull"))]}, "pod p: ErrImageNeverPull, for "),
        ({"deployments": [], "statefulsets": []}, "There is no release millrace in the namespace millrace"),
    ],
)
def test_permanent_failure_ends_wait(missing, changed: dict[str, list[Object]], sentence: str):
    with pytest.raises(CheckFailedError, match=sentence):
        missing(**changed)


LACKING = pod("Pending", waiting("CreateContainerConfigError", 'secret "millrace-ingest" not found'))


@pytest.mark.parametrize(
    "user",
    [thing("millrace-ingest"), ready("millrace-ingest") | {"metadata": {"name": "millrace-ingest"}}],
    ids=["not made", "just made"],
)
def test_secret_strimzi_has_yet_to_create_is_waited_for(missing, user: Object):
    user["metadata"]["creationTimestamp"] = stamp(60)
    report = missing(pods=[LACKING], kafkausers=[user])
    assert report[-1] == 'p: CreateContainerConfigError secret "millrace-ingest" not found'


@pytest.mark.parametrize("user", [ready("millrace-ingest"), thing("millrace-api")], ids=["made long ago", "another"])
def test_secret_nobody_creates_ends_wait(missing, user: Object):
    with pytest.raises(CheckFailedError, match='secret "millrace-ingest" not found, for '):
        missing(pods=[LACKING], kafkausers=[user])


def test_missing_part_is_reported_then_raised_on_timeout(missing):
    missing(jobs=[thing("millrace-ingest-1")])
    with pytest.raises(UnavailableError, match="job millrace-ingest-1: not done"):
        release_wait.wait_for_release("millrace", "millrace", 0)


@pytest.mark.parametrize(
    ("changed", "command"),
    [
        (
            {"ingresses": [thing("i", {"rules": [{"host": "m.localhost"}]}, loadBalancer={"ingress": [{}]})]},
            "curl http://m.localhost/v1/models",
        ),
        (
            {"ingresses": [thing("i", {"rules": [{"host": "m"}], "tls": [{}]}, loadBalancer={"ingress": [{}]})]},
            "curl https://m/v1/models",
        ),
        # Nobody has taken it.
        (
            {"ingresses": [thing("i", {"rules": [{"host": "m"}]}, loadBalancer={})]},
            "kubectl -n millrace port-forward service/millrace-api 8000:80 &\ncurl http://localhost:8000/v1/models",
        ),
    ],
)
def test_api_address_is_reported_as_curl_command(missing, changed: dict[str, list[Object]], command: str):
    missing(services=[thing("millrace-api", {"ports": [{"port": 80}]})], **changed)
    assert release_wait.find_address("millrace", "millrace") == command


def test_release_without_api_has_no_address(missing):
    missing()
    with pytest.raises(NotFoundError, match=r"has no API; `api\.enabled` makes one"):
        release_wait.find_address("millrace", "millrace")
