"""Volumes as most storage makes them: they belong to root and are closed to others, and only a pod's own fsGroup opens
them, which the kubelet sees to. They are folders of this machine, so this is for a cluster whose node it is."""

import os
import shutil
from pathlib import Path
from typing import Any

from tests.cluster.standin.kube import Kube

CLASS = "standin-closed"
PLACE = Path("/var/tmp/millrace-volumes")
MARK = "app.kubernetes.io/managed-by=millrace-standin"


class Disks:
    """Makes a volume for each claim of the class, and removes it with the claim."""

    def __init__(self, kube: Kube):
        self._kube = kube

    def offer(self) -> None:
        """Make the class, and remove folders that a former cluster has left."""
        volumes = {one["metadata"]["name"] for one in self._kube.list("PersistentVolume", MARK)}
        for folder in PLACE.iterdir() if PLACE.is_dir() else ():
            if folder.name not in volumes:
                shutil.rmtree(folder)
        self._kube.apply(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": CLASS},
                "provisioner": "kubernetes.io/no-provisioner",
                "volumeBindingMode": "WaitForFirstConsumer",
            }
        )

    def reconcile(self) -> None:
        """One look at the claims and volumes."""
        volumes = {one["metadata"]["name"]: one for one in self._kube.list("PersistentVolume", MARK)}
        for claim in self._kube.list("PersistentVolumeClaim"):
            name = f"standin-{claim['metadata']['uid']}"
            waits = claim.get("status", {}).get("phase") == "Pending" and "deletionTimestamp" not in claim["metadata"]
            if claim["spec"].get("storageClassName") == CLASS and waits and name not in volumes:
                self._kube.apply(_volume(name, claim))
        for name, volume in volumes.items():
            if volume.get("status", {}).get("phase") in ("Released", "Failed"):
                self._kube.delete("PersistentVolume", name)
                shutil.rmtree(PLACE / name, ignore_errors=True)


def _volume(name: str, claim: dict[str, Any]) -> dict[str, Any]:
    folder = PLACE / name
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, 0, 0)
    folder.chmod(0o755)
    terms = [{"matchExpressions": [{"key": "kubernetes.io/os", "operator": "Exists"}]}]
    wanted = claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": dict([MARK.split("=")])},
        "spec": {
            "capacity": wanted["resources"]["requests"],
            "accessModes": wanted["accessModes"],
            "storageClassName": CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": claim["metadata"]["namespace"], "name": claim["metadata"]["name"]},
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        },
    }
