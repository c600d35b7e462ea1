"""kubectl as a function: it knows every way to log in to a cluster, and which one the user has chosen."""

import shutil
import subprocess
from typing import Any

import orjson

from millrace.errors import NotFound, Unavailable

PATIENCE = 60  # seconds for one answer


def kubectl(*words: str, timeout: float = PATIENCE) -> str:
    """What it printed. Raises NotFound for an object that is not there, Unavailable with kubectl's own last line."""
    program = shutil.which("kubectl")
    if program is None:
        raise Unavailable(
            "kubectl is not on the PATH; install it, and point KUBECONFIG at the cluster.", code="no_kubectl"
        )
    try:
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"kubectl {' '.join(words[:3])} took longer than {timeout:g} s.", code="cluster_away"
        ) from None
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    if "NotFound" in said or "doesn't have a resource type" in said:
        raise NotFound(said, field="resource")
    raise Unavailable(f"kubectl {' '.join(words[:3])}: {said}", code="cluster_away")


def objects(kind: str, namespace: str | None = None, selector: str = "") -> list[dict[str, Any]]:
    """All objects of a kind (`kafkas.kafka.strimzi.io`) with these labels, of one namespace or of all."""
    where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
    where += ["--selector", selector] if selector else []
    return orjson.loads(kubectl("get", kind, *where, "--output", "json"))["items"]


def may(verb: str, resource: str, account: str, namespace: str) -> bool:
    """Whether a service account has a right; true also where you may not ask in its name."""
    try:
        kubectl("auth", "can-i", verb, resource, "--as", account, "--namespace", namespace)
    except Unavailable as error:
        return "impersonate" in error.message
    return True


def condition(found: dict[str, Any], kind: str = "Ready") -> tuple[bool, str]:
    """(whether it is True, its message) of a condition in an object's status."""
    for one in found.get("status", {}).get("conditions", []):
        if one.get("type") == kind:
            return one.get("status") == "True", one.get("message") or one.get("reason") or ""
        if one.get("type") == "NotReady" and one.get("status") == "True":
            return False, one.get("message") or one.get("reason") or ""
    return False, "the operator has said nothing about it yet"
