"""kubectl as a function: it knows every way to log in to a cluster, and which one the user has chosen."""

import shutil
import subprocess
from typing import Any

import orjson

from millrace.errors import NotFoundError, UnavailableError

KUBECTL_TIMEOUT_S = 60  # seconds for one answer


def run_kubectl(*words: str, timeout: float = KUBECTL_TIMEOUT_S) -> str:
    """What it printed.

    Raises NotFoundError for an object that is not there, UnavailableError with kubectl's own last line.
    """
    program = shutil.which("kubectl")
    if program is None:
        raise UnavailableError(
            "kubectl is not on the PATH; install it, and point KUBECONFIG at the cluster.", code="no_kubectl"
        )
    try:
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise UnavailableError(
            f"kubectl {' '.join(words[:3])} took longer than {timeout:g} s.", code="cluster_away"
        ) from None
    if done.returncode == 0:
        return done.stdout
    message = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    if "NotFound" in message or "doesn't have a resource type" in message:
        raise NotFoundError(message, field="resource")
    raise UnavailableError(f"kubectl {' '.join(words[:3])}: {message}", code="cluster_away")


def list_objects(kind: str, namespace: str | None = None, selector: str = "") -> list[dict[str, Any]]:
    """All objects of a kind (`kafkas.kafka.strimzi.io`) with these labels, of one namespace or of all."""
    where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
    where += ["--selector", selector] if selector else []
    return orjson.loads(run_kubectl("get", kind, *where, "--output", "json"))["items"]


def is_allowed(verb: str, resource: str, account: str, namespace: str) -> bool:
    """Whether a service account has a right; true also where you may not ask in its name."""
    try:
        run_kubectl("auth", "can-i", verb, resource, "--as", account, "--namespace", namespace)
    except UnavailableError as error:
        return "impersonate" in error.message
    return True


def read_condition(resource: dict[str, Any], kind: str = "Ready") -> tuple[bool, str]:
    """(whether it is True, its message) of a condition in an object's status."""
    for entry in resource.get("status", {}).get("conditions", []):
        if entry.get("type") == kind:
            return entry.get("status") == "True", entry.get("message") or entry.get("reason") or ""
        if entry.get("type") == "NotReady" and entry.get("status") == "True":
            return False, entry.get("message") or entry.get("reason") or ""
    return False, "not reported by the operator yet"
