"""Waiting for a release that has just been installed, part by part, and where it then answers."""

from collections.abc import Callable, Iterator
from typing import Any

from millrace.doctor.checks import Fault
from millrace.doctor.kubectl import condition, objects
from millrace.doctor.pods import age, troubles
from millrace.errors import NotFound, Unavailable
from millrace.runtime.waiting import wait_out

LOOK_S = 5.0
UNSEEN_S = 180.0
"""A kubelet may look for a secret that a pod lacks only so long after it was made."""
STRIMZI = ("kafkas", "kafkausers", "kafkatopics", "kafkaconnects", "kafkaconnectors")


def wait_for_release(namespace: str, release: str, seconds: float, say: Callable[[str], None]) -> None:
    """Return when brokers, sinks, jobs, trainings and API of a release are all there.

    `say` hears what is waited for whenever that changes, with since when and why. Raises Fault for what waiting does
    not mend, and Unavailable after `seconds`.
    """

    def look() -> None:
        lacking = list(missing(namespace, release))
        if not lacking:
            return
        raise Unavailable("; ".join(lacking), code="not_there_yet")

    wait_out(look, seconds, say, pause=LOOK_S)


def missing(namespace: str, release: str) -> Iterator[str]:
    """Sentences about what is not there yet. Raises Fault where nothing will come by itself."""
    mine = f"app.kubernetes.io/instance={release}"
    deployed = objects("deployments.apps", namespace, mine) + objects("statefulsets.apps", namespace, mine)
    if not deployed:
        raise Fault(f"There is no release {release} in the namespace {namespace}; `helm list -A` shows where it is.")
    stuck = troubles(namespace)
    coming = _coming(namespace) if any(object_.lacks for object_ in stuck) else set()
    for object_ in stuck:
        if object_.hopeless and object_.seconds > 60 and object_.lacks not in coming:
            raise Fault(str(object_))
    yield from _strimzi(namespace, mine)
    for object_ in deployed:
        wanted, ready = object_["spec"].get("replicas", 1), object_.get("status", {}).get("readyReplicas", 0)
        if ready < wanted:
            why = " (it gets ready with its first model)" if object_["metadata"]["name"].endswith("-api") else ""
            yield f"{object_['metadata']['name']}: {ready} of {wanted} pods ready{why}{since(object_)}"
    for object_ in objects("jobs.batch", namespace, mine):
        yield from _job(object_)
    for object_ in objects("sparkapplications.sparkoperator.k8s.io", namespace, mine):
        yield from _application(object_)
    for object_ in stuck:
        yield f"{object_.pod}: {object_.reason}"


def _coming(namespace: str) -> set[str]:
    """Secrets that Strimzi has still to make, after brokers and entity operator are ready, or has only just made."""
    made = {
        "kafkas": lambda name: f"{name}-cluster-ca-cert",
        "kafkausers": lambda name: name,
    }
    return {
        secret(object_["metadata"]["name"])
        for kind, secret in made.items()
        for object_ in objects(f"{kind}.kafka.strimzi.io", namespace)
        if not condition(object_)[0] or age(_changed(object_)) < UNSEEN_S
    }


def _changed(object_: dict[str, Any]) -> str:
    """When the object's condition last changed, else its creation."""
    conditions = object_.get("status", {}).get("conditions") or [{}]
    return conditions[0].get("lastTransitionTime") or object_["metadata"]["creationTimestamp"]


def since(object_: dict[str, Any]) -> str:
    """` since 08:41:07`, by the last change of the object's condition, else its creation."""
    return f", since {_changed(object_)[11:19]} UTC"


def _strimzi(namespace: str, mine: str) -> Iterator[str]:
    for kind in STRIMZI:
        waiting = []
        for object_ in objects(f"{kind}.kafka.strimzi.io", namespace, mine):
            ready, message = condition(object_)
            if not ready:
                waiting.append((object_, message))
        if len(waiting) > 2:
            yield f"{len(waiting)} {kind}, such as {waiting[0][0]['metadata']['name']}: {waiting[0][1]}"
        else:
            for object_, message in waiting:
                yield f"{kind.removesuffix('s')} {object_['metadata']['name']}: {message}{since(object_)}"


def _job(job: dict[str, Any]) -> Iterator[str]:
    name, status = job["metadata"]["name"], job.get("status", {})
    if any(one["type"] == "Failed" and one["status"] == "True" for one in status.get("conditions", [])):
        raise Fault(f"job {name} has failed; `kubectl logs job/{name}` says why.")
    if not status.get("succeeded") and not job["spec"].get("suspend"):
        yield f"job {name}: not done{since(job)}"


def _application(application: dict[str, Any]) -> Iterator[str]:
    name, spec = application["metadata"]["name"], application["spec"]
    state_of = application.get("status", {}).get("applicationState", {})
    state = state_of.get("state", "")
    if spec.get("suspend") or state == "SUSPENDED":
        return
    if state == "FAILED":
        raise Fault(
            f"{name} has failed: {state_of.get('errorMessage') or 'no reason given'}; its driver's log says more."
        )
    endless = spec.get("restartPolicy", {}).get("type") == "Always" or "--follow" in spec.get("arguments", [])
    if state != "COMPLETED" and not (endless and state == "RUNNING"):
        message = state_of.get("errorMessage") or ""
        yield f"training {name}: {state or 'not seen by the operator yet'} {message}".rstrip() + since(application)


def address(namespace: str, release: str) -> str:
    """The command that asks the API: by its ingress where a controller has taken it, else by a forwarded port."""
    mine = f"app.kubernetes.io/instance={release}"
    for object_ in objects("ingresses.networking.k8s.io", namespace, mine):
        if object_.get("status", {}).get("loadBalancer", {}).get("ingress"):
            scheme = "https" if object_["spec"].get("tls") else "http"
            return f"curl {scheme}://{object_['spec']['rules'][0]['host']}/v1/models"
    for object_ in objects("services", namespace, f"{mine},app.kubernetes.io/component=api"):
        name, port = object_["metadata"]["name"], object_["spec"]["ports"][0]["port"]
        return f"kubectl -n {namespace} port-forward service/{name} 8000:{port} &\ncurl http://localhost:8000/v1/models"
    raise NotFound(f"The release {release} has no API; `api.enabled` makes one.", field="release")
