"""kubectl, helm and waiting, for the tests."""

import base64
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

Found = TypeVar("Found")


class Failed(AssertionError):
    """A command that failed, with its last words."""


def run(*command: str, parameters: str | None = None, timeout: float = 300) -> str:
    done = subprocess.run(command, input=parameters, capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        raise Failed(f"{' '.join(command)[:300]}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def wait(what: str, seconds: float, probe: Callable[[], Found], pause: float = 1.0) -> Found:
    """What `probe` gives, as soon as it is true; a fault of the probe counts as false. Raises Failed."""
    until, last = time.monotonic() + seconds, ""
    while True:
        try:
            if result := probe():
                return result
        except (AssertionError, LookupError, OSError) as error:
            last = f": {error}"
        if time.monotonic() > until:
            raise Failed(f"{what}: not within {seconds:g} s{last}")
        time.sleep(pause)


class Space:
    """One namespace by kubectl."""

    def __init__(self, name: str):
        self.name = name

    def kubectl(self, *arguments: str, parameters: str | None = None, timeout: float = 300) -> str:
        return run("kubectl", "-n", self.name, *arguments, parameters=parameters, timeout=timeout)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))

    def all(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        return json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]

    def apply(self, *resources: dict[str, Any]) -> None:
        self.kubectl(
            "apply", "-f", "-", parameters=json.dumps({"apiVersion": "v1", "kind": "List", "items": resources})
        )

    def secret(self, name: str, key: str) -> str:
        return base64.b64decode(self.get("secret", name)["data"][key]).decode()

    def pods(self, selector: str) -> list[str]:
        """Names of pods that are not on their way out."""
        return [p["metadata"]["name"] for p in self.all("pod", selector) if "deletionTimestamp" not in p["metadata"]]

    def kill(self, selector: str) -> str:
        """End a pod as a power cut would; its name."""
        name = self.pods(selector)[0]
        self.kubectl("delete", "pod", name, "--force", "--grace-period=0", "--wait=false")
        return name

    def condition(self, kind: str, name: str, type_: str = "Ready") -> bool:
        conditions = self.get(kind, name).get("status", {}).get("conditions", [])
        return any(one["type"] == type_ and one["status"] == "True" for one in conditions)
