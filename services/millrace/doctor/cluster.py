"""`millrace doctor --cluster`: operators, definitions, resources, and the checks of a pod inside the cluster."""

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

import orjson

from millrace.doctor.checks import CheckFailedError, run_check
from millrace.doctor.kubectl import is_allowed, list_objects, read_condition, run_kubectl
from millrace.doctor.pods import age_s, list_troubles
from millrace.errors import NotFoundError, UnavailableError

# Deployment's label app.kubernetes.io/name or name -> (what it is, versions that the chart was made for)
OPERATORS = {
    "strimzi-cluster-operator": ("Strimzi", (1, 2), (1, 3)),
    "spark-operator": ("spark-operator", (2, 5), (2, 6)),
}
DEFINITIONS = {
    "kafka.strimzi.io/v1": (
        "kafkas",
        "kafkanodepools",
        "kafkatopics",
        "kafkausers",
        "kafkaconnects",
        "kafkaconnectors",
    ),
    "sparkoperator.k8s.io/v1beta2": ("sparkapplications", "scheduledsparkapplications"),
}
STRIMZI_KINDS = ("kafkas", "kafkaconnects", "kafkatopics", "kafkausers", "kafkaconnectors")
TRANSIENT_STATES = {"", "SUBMITTED", "PENDING_RERUN", "INVALIDATING", "SUCCEEDING", "FAILING", "UNKNOWN"}
# What each operator must be able to make in the release's namespace.
REQUIRED_RIGHTS = {"strimzi-cluster-operator": "strimzipodsets.core.strimzi.io", "spark-operator": "services"}
MAX_PENDING_S = 180  # seconds that a pod may wait for a node and its image
MAX_TRANSIENT_S = 15 * 60  # seconds that an application may stay in a passing state
MAX_RUNNING_S = 12 * 3600  # seconds that a training may run; what is always run again, as a stream, may for ever
POD_TIMEOUT_S = 300  # seconds for the checks of the pod, its start included
HOPELESS_GRACE_S = 15  # seconds after which a pod that lacks a secret or an image is not waited for any more


def examine_cluster(namespace: str, release: str) -> list[dict[str, Any]]:
    """[{"check", "ok", "found", "cure"}] for a release; what the pod in the cluster found comes last."""
    listed = f"kubectl -n {namespace} get kafka,kafkaconnector,sparkapplication"
    checks: list[tuple[str, Callable[[], str], str]] = [
        ("api server", _check_server, "Point KUBECONFIG at the cluster; `kubectl get nodes` must answer."),
        ("definitions", _check_definitions, "Install the operators: `make operators`."),
        ("operators", _check_operators, "Install the versions that the chart was made for: `make operators`."),
        (
            "namespace",
            lambda: _check_namespace(namespace),
            "Its labels and the operators' rights went with a former namespace: `make operators` recreates both.",
        ),
        *(
            (
                kind,
                lambda kind=kind: _check_strimzi(kind, namespace),
                f"`{listed}`, then the log of strimzi-cluster-operator.",
            )
            for kind in STRIMZI_KINDS
        ),
        (
            "trainings",
            lambda: _check_applications(namespace),
            "The driver's log says why; delete and apply it again: it is safe.",
        ),
        (
            "pods",
            lambda: _check_pods(namespace),
            "A pod without a node needs a larger one, or fewer `workloads`; an image must be where nodes find it.",
        ),
    ]
    results = [run_check(*check) for check in checks]
    if not results[0]["ok"]:
        return results[:1]
    try:
        return results + _check_in_pod(namespace, release)
    except (NotFoundError, UnavailableError) as error:
        cure = f"`kubectl -n {namespace} get cronjob,pod` shows whether {release}-doctor is there and may start."
        return [*results, {"check": "in the cluster", "ok": False, "found": error.message, "cure": cure}]


def _check_server() -> str:
    version = orjson.loads(run_kubectl("get", "--raw", "/version"))["gitVersion"]
    return f"Kubernetes {version}"


def _check_definitions() -> str:
    missing = []
    for group, names in DEFINITIONS.items():
        try:
            served = {one["name"] for one in orjson.loads(run_kubectl("get", "--raw", f"/apis/{group}"))["resources"]}
        except NotFoundError:
            served = set()
        missing += [f"{name}.{group}" for name in names if name not in served]
    if missing:
        raise CheckFailedError(f"not served: {', '.join(missing)}")
    return ", ".join(DEFINITIONS)


def _check_operators() -> str:
    versions: dict[str, str] = {}
    for deployment in list_objects("deployments.apps"):
        labels, name = deployment["metadata"].get("labels", {}), deployment["metadata"]["name"]
        for key in OPERATORS:
            if key in (name, labels.get("app.kubernetes.io/name")) or name == f"{key}-controller":
                versions[key] = deployment["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
    installed, faults = [], []
    for key, (name, lowest, above) in OPERATORS.items():
        numbers = re.match(r"v?(\d+)\.(\d+)", versions.get(key, ""))
        wanted = f"{lowest[0]}.{lowest[1]} or a later one before {above[0]}.{above[1]}"
        if key not in versions:
            faults.append(f"{name} is not installed; {wanted} is needed")
        elif numbers is None or not lowest <= (int(numbers[1]), int(numbers[2])) < above:
            faults.append(f"{name} has version {versions[key]!r}; allowed: {wanted}")
        else:
            installed.append(f"{name} {versions[key]}")
    if faults:
        raise CheckFailedError("; ".join(faults))
    return ", ".join(installed)


def _check_namespace(namespace: str) -> str:
    """Pod Security is enforced, and each operator may do its work in the namespace."""
    labels = orjson.loads(run_kubectl("get", "namespace", namespace, "--output", "json"))["metadata"].get("labels", {})
    faults = []
    if "pod-security.kubernetes.io/enforce" not in labels:
        faults.append(f"{namespace} has no label pod-security.kubernetes.io/enforce")
    deployed = list_objects("deployments.apps")
    for key, resource in REQUIRED_RIGHTS.items():
        for deployment in deployed:
            if deployment["metadata"]["name"] in (key, f"{key}-controller"):
                pod, home = deployment["spec"]["template"]["spec"], deployment["metadata"]["namespace"]
                account = f"system:serviceaccount:{home}:{pod.get('serviceAccountName', 'default')}"
                if not is_allowed("create", resource, account, namespace):
                    faults.append(f"{account} may not create {resource} in {namespace}")
    if faults:
        raise CheckFailedError("; ".join(faults))
    return f"{namespace}, with Pod Security"


def _check_pods(namespace: str) -> str:
    """None waits for minutes for a node, an image or a secret, or ends again and again."""
    sentences = [str(trouble) for trouble in list_troubles(namespace) if trouble.seconds > MAX_PENDING_S]
    if sentences:
        raise CheckFailedError("; ".join(sentences))
    return "none waits"


def _check_strimzi(kind: str, namespace: str) -> str:
    """All objects of a kind are ready; of a connector also every task runs."""
    resources, faults = list_objects(f"{kind}.kafka.strimzi.io", namespace), []
    for resource in resources:
        ready, message = read_condition(resource)
        name = resource["metadata"]["name"]
        if not ready:
            faults.append(f"{name}: {message}")
        for task in resource.get("status", {}).get("connectorStatus", {}).get("tasks", []):
            if task["state"] == "FAILED":
                cause = task.get("trace", "").strip().splitlines() or ["no cause given"]
                faults.append(f"{name}, task {task['id']}: {cause[0][:300]}")
    if faults:
        raise CheckFailedError("; ".join(faults))
    return f"{len(resources)} ready" if resources else "none, as with a Kafka that is elsewhere"


def _check_applications(namespace: str) -> str:
    applications, faults = list_objects("sparkapplications.sparkoperator.k8s.io", namespace), []
    for application in applications:
        status, name = application.get("status", {}), application["metadata"]["name"]
        state = status.get("applicationState", {}).get("state", "")
        since = status.get("lastSubmissionAttemptTime") or application["metadata"]["creationTimestamp"]
        seconds = age_s(since)
        if state in ("FAILED", "SUBMISSION_FAILED"):
            faults.append(f"{name} {state}: {status['applicationState'].get('errorMessage') or 'no reason given'}")
        elif (state in TRANSIENT_STATES and seconds > MAX_TRANSIENT_S) or (
            state == "RUNNING" and seconds > MAX_RUNNING_S and not _is_endless(application)
        ):
            faults.append(f"{name} has been {state or 'unseen by the operator'} for {seconds / 60:.0f} minutes")
    if faults:
        raise CheckFailedError("; ".join(faults))
    return f"{len(applications)} in order"


def _is_endless(application: dict[str, Any]) -> bool:
    return application.get("spec", {}).get("restartPolicy", {}).get("type") == "Always"


def _check_in_pod(namespace: str, release: str) -> list[dict[str, Any]]:
    """The checks of Kafka, S3, catalog and lake by a pod that has the release's addresses, secrets and rules."""
    job = f"{release}-doctor-{secrets.token_hex(3)}"
    where = ("--namespace", namespace)
    run_kubectl("create", "job", job, "--from", f"cronjob/{release}-doctor", *where)
    try:
        _wait_for_job(job, where)
        printed = run_kubectl("logs", f"job/{job}", *where)
        start = printed.find("[")
        if start < 0:
            raise UnavailableError(f"The pod of {job} printed no result: {printed[-300:]}", code="no_result")
        return [one | {"check": f"{one['check']}, in the cluster"} for one in orjson.loads(printed[start:])]
    finally:
        run_kubectl("delete", "job", job, "--wait=false", *where)


def _wait_for_job(job: str, where: tuple[str, str]) -> None:
    """Until the job has ended, well or not: a fault that it found makes it fail."""
    until = time.monotonic() + POD_TIMEOUT_S
    while True:
        status = orjson.loads(run_kubectl("get", "job", job, *where, "--output", "json")).get("status", {})
        if status.get("succeeded") or status.get("failed"):
            return
        for trouble in list_troubles(where[1], f"job-name={job}"):
            if trouble.hopeless and trouble.seconds > HOPELESS_GRACE_S:
                raise UnavailableError(f"The pod of {job} can't start: {trouble.reason}.", code="no_result")
        if time.monotonic() > until:
            raise UnavailableError(f"{job} did not end within {POD_TIMEOUT_S} s.", code="no_result")
        time.sleep(2)
