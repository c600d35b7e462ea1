"""Conditions as the operators write them."""

from datetime import UTC, datetime
from typing import Any


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ready(resource: dict[str, Any]) -> dict[str, Any]:
    return _status(resource, {"type": "Ready", "status": "True"})


def not_ready(resource: dict[str, Any], reason: str, message: str) -> dict[str, Any]:
    return _status(resource, {"type": "Ready", "status": "False", "reason": reason, "message": message[:2000]})


def paused(resource: dict[str, Any]) -> dict[str, Any] | None:
    """The status of a resource that its operator shall leave alone, else None."""
    annotations = resource["metadata"].get("annotations") or {}
    if annotations.get("strimzi.io/pause-reconciliation") != "true":
        return None
    return _status(resource, {"type": "ReconciliationPaused", "status": "True"})


def _status(resource: dict[str, Any], condition: dict[str, str]) -> dict[str, Any]:
    result = ((resource.get("status") or {}).get("conditions") or [{}])[0]
    same = all(result.get(key) == value for key, value in condition.items())
    stamped = condition | {"lastTransitionTime": result.get("lastTransitionTime", now()) if same else now()}
    return {"conditions": [stamped], "observedGeneration": resource["metadata"]["generation"]}
