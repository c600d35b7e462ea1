"""Waiting for a release that has just been installed, part by part, and where it then answers."""

from collections.abc import Iterator
from typing import Any

from millrace.doctor.checks import CheckFailedError
from millrace.doctor.kubectl import list_objects, read_condition
from millrace.doctor.pods import age_s, list_troubles
from millrace.errors import NotFoundError, UnavailableError
from millrace.runtime.retry import retry_unavailable

POLL_INTERVAL_S = 5.0
SECRET_GRACE_S = 180.0
"""A kubelet may look for a secret that a pod lacks only so long after it was made."""
READINESS_CONDITIONS = ("Ready", "NotReady", "Available")
STRIMZI_KINDS = ("kafkas", "kafkausers", "kafkatopics", "kafkaconnects", "kafkaconnectors")


def wait_for_release(namespace: str, release: str, seconds: float) -> None:
    """Return when brokers, sinks, jobs, trainings and API of a release are all there.

    What is waited for is logged whenever it changes, with since when and why. Raises CheckFailedError for what waiting
    does not mend, and UnavailableError after `seconds`.
    """

    def look() -> None:
        lacking = list(find_missing(namespace, release))
        if not lacking:
            return
        raise UnavailableError("; ".join(lacking), code="not_there_yet")

    retry_unavailable(look, seconds, delay_s=POLL_INTERVAL_S)


def find_missing(namespace: str, release: str) -> Iterator[str]:
    """Sentences about what is not there yet. Raises Fault where nothing will come by itself."""
    mine = f"app.kubernetes.io/instance={release}"
    deployed = list_objects("deployments.apps", namespace, mine) + list_objects("statefulsets.apps", namespace, mine)
    if not deployed:
        raise CheckFailedError(
            f"There is no release {release} in the namespace {namespace}; `helm list -A` shows where it is."
        )
    stuck = list_troubles(namespace)
    coming = _find_coming_secrets(namespace) if any(resource.lacks for resource in stuck) else set()
    for resource in stuck:
        if resource.hopeless and resource.seconds > 60 and resource.lacks not in coming:
            raise CheckFailedError(str(resource))
    yield from _missing_strimzi(namespace, mine)
    for resource in deployed:
        wanted, ready = resource["spec"].get("replicas", 1), resource.get("status", {}).get("readyReplicas", 0)
        if ready < wanted:
            why = " (it gets ready with its first model)" if resource["metadata"]["name"].endswith("-api") else ""
            yield f"{resource['metadata']['name']}: {ready} of {wanted} pods ready{why}{format_since(resource)}"
    for resource in list_objects("jobs.batch", namespace, mine):
        yield from _missing_job(resource)
    for resource in list_objects("sparkapplications.sparkoperator.k8s.io", namespace, mine):
        yield from _missing_training(resource)
    for resource in stuck:
        yield f"{resource.pod}: {resource.reason}"


def _find_coming_secrets(namespace: str) -> set[str]:
    """Secrets that Strimzi has still to make, after brokers and entity operator are ready, or has only just made."""
    made = {
        "kafkas": lambda name: f"{name}-cluster-ca-cert",
        "kafkausers": lambda name: name,
    }
    return {
        secret(resource["metadata"]["name"])
        for kind, secret in made.items()
        for resource in list_objects(f"{kind}.kafka.strimzi.io", namespace)
        if not read_condition(resource)[0] or age_s(_last_change(resource)) < SECRET_GRACE_S
    }


def _last_change(resource: dict[str, Any]) -> str:
    """When the object last became ready or ceased to be, else when a condition last changed, else its creation.

    Conditions come in any order; a time is ISO 8601 in UTC, so the greatest text is the latest.
    """
    conditions = resource.get("status", {}).get("conditions") or []
    readiness = [each for each in conditions if each.get("type") in READINESS_CONDITIONS]
    times = [each["lastTransitionTime"] for each in readiness or conditions if each.get("lastTransitionTime")]
    return max(times, default=resource["metadata"]["creationTimestamp"])


def format_since(resource: dict[str, Any]) -> str:
    """` since 08:41:07`, by the last change of the object's condition, else its creation."""
    return f", since {_last_change(resource)[11:19]} UTC"


def _missing_strimzi(namespace: str, mine: str) -> Iterator[str]:
    for kind in STRIMZI_KINDS:
        waiting = []
        for resource in list_objects(f"{kind}.kafka.strimzi.io", namespace, mine):
            ready, message = read_condition(resource)
            if not ready:
                waiting.append((resource, message))
        if len(waiting) > 2:
            yield f"{len(waiting)} {kind}, such as {waiting[0][0]['metadata']['name']}: {waiting[0][1]}"
        else:
            for resource, message in waiting:
                yield f"{kind.removesuffix('s')} {resource['metadata']['name']}: {message}{format_since(resource)}"


def _missing_job(job: dict[str, Any]) -> Iterator[str]:
    name, status = job["metadata"]["name"], job.get("status", {})
    if any(one["type"] == "Failed" and one["status"] == "True" for one in status.get("conditions", [])):
        raise CheckFailedError(f"job {name} has failed; `kubectl logs job/{name}` says why.")
    if not status.get("succeeded") and not job["spec"].get("suspend"):
        yield f"job {name}: not done{format_since(job)}"


def _missing_training(application: dict[str, Any]) -> Iterator[str]:
    name, spec = application["metadata"]["name"], application["spec"]
    state_of = application.get("status", {}).get("applicationState", {})
    state = state_of.get("state", "")
    if spec.get("suspend") or state == "SUSPENDED":
        return
    if state == "FAILED":
        raise CheckFailedError(
            f"{name} has failed: {state_of.get('errorMessage') or 'no reason given'}; its driver's log says more."
        )
    endless = spec.get("restartPolicy", {}).get("type") == "Always" or "--follow" in spec.get("arguments", [])
    if state != "COMPLETED" and not (endless and state == "RUNNING"):
        message = state_of.get("errorMessage") or ""
        yield f"training {name}: {state or 'not seen by the operator yet'} {message}".rstrip() + format_since(
            application
        )


def find_address(namespace: str, release: str) -> str:
    """The command that asks the API: by its ingress where a controller has taken it, else by a forwarded port."""
    mine = f"app.kubernetes.io/instance={release}"
    for resource in list_objects("ingresses.networking.k8s.io", namespace, mine):
        if resource.get("status", {}).get("loadBalancer", {}).get("ingress"):
            scheme = "https" if resource["spec"].get("tls") else "http"
            return f"curl {scheme}://{resource['spec']['rules'][0]['host']}/v1/models"
    for resource in list_objects("services", namespace, f"{mine},app.kubernetes.io/component=api"):
        name, port = resource["metadata"]["name"], resource["spec"]["ports"][0]["port"]
        return f"kubectl -n {namespace} port-forward service/{name} 8000:{port} &\ncurl http://localhost:8000/v1/models"
    raise NotFoundError(f"The release {release} has no API; `api.enabled` makes one.", field="release")
