"""What keeps a pod from running, from what Kubernetes says of it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from millrace.doctor.kubectl import list_objects

HOPELESS_REASONS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}
"""Reasons that need somebody to change something."""
STARTING_REASONS = {"ContainerCreating", "PodInitializing"}
MISSING_OBJECT = re.compile(r'(?:secret|configmap) "([^"]+)" not found')


@dataclass(frozen=True)
class PodTrouble:
    """Why a pod does not run, for how many seconds, and the name of the secret or ConfigMap that it lacks."""

    pod: str
    reason: str
    seconds: float
    hopeless: bool
    lacks: str = ""

    def __str__(self) -> str:
        return f"pod {self.pod}: {self.reason}, for {self.seconds / 60:.0f} minutes"


def age_s(stamp: str) -> float:
    """Seconds since a time as Kubernetes writes one."""
    return (datetime.now(UTC) - datetime.fromisoformat(stamp)).total_seconds()


def find_trouble(pod: dict[str, Any]) -> PodTrouble | None:
    """What keeps the pod from running; None for one that runs, has ended, or is on its way out."""
    metadata, status = pod["metadata"], pod.get("status", {})
    if "deletionTimestamp" in metadata or status.get("phase") in ("Succeeded", "Failed"):
        return None
    name, seconds = metadata["name"], age_s(metadata["creationTimestamp"])
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return PodTrouble(name, f"no node for it ({condition.get('message') or 'no reason given'})", seconds, False)
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        waiting = container.get("state", {}).get("waiting")
        if waiting is None:
            continue
        reason = waiting.get("reason", "")
        if reason == "CrashLoopBackOff":
            ended = container.get("lastState", {}).get("terminated", {})
            message = f"{container['name']} ended with {ended.get('exitCode')} {container['restartCount']} times"
            return PodTrouble(name, f"{message}; `kubectl logs {name} --previous` says why", seconds, False)
        if reason in HOPELESS_REASONS or (reason in STARTING_REASONS and status.get("phase") == "Pending"):
            message = f"{reason} {waiting.get('message') or ''}".strip()
            lacks = MISSING_OBJECT.search(message)
            return PodTrouble(name, message, seconds, reason in HOPELESS_REASONS, lacks[1] if lacks else "")
    if status.get("phase") == "Pending":
        return PodTrouble(name, "it has not started", seconds, False)
    return None


def list_troubles(namespace: str, selector: str = "") -> list[PodTrouble]:
    """Those of all pods with these labels, those of the whole namespace where there are none."""
    return [trouble for pod in list_objects("pods", namespace, selector) if (trouble := find_trouble(pod))]
