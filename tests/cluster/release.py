"""The installed release as the tests see it."""

import json
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.scripts import AUDIT, PAGES
from tests.cluster.tools import Space, run, wait

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/millrace"
HERE = Path(__file__).parent
PREVIOUS = HERE / "previous/millrace-0.2.1.tgz"
"""0.2.0, and of what came later only what brokers and trainings need under the true operators."""
PROFILE = "values-kind.yaml"
WORKLOADS = ("courses", "products")
KEPT = ("millrace-catalog", "millrace-s3")
SELECTED = {"app.kubernetes.io/name": "millrace", "app.kubernetes.io/instance": "millrace"}
QUESTION = {"num_subscribers": "10,000", "num_reviews": 310, "num_lectures": 42, "content_duration": "4.5 hours"}


def values_of(chart: Path, folder: Path) -> list[Path]:
    """The values files for a chart: its own profile, which a packed one has within, and those of the tests over it."""
    if chart.is_dir():
        return [chart / PROFILE, HERE / "values.yaml"]
    with tarfile.open(chart) as packed:
        profile = folder / PROFILE
        profile.write_bytes(packed.extractfile(f"millrace/{PROFILE}").read())
    return [profile, HERE / "values.yaml", HERE / "previous/values.yaml"]


class Release(Space):
    """Helm's release `millrace` in its namespace; `settings` are what every helm command is given.

    A new one begins with the chart `first`.
    """

    def __init__(self, namespace: str, settings: list[str], first: Path = CHART):
        super().__init__(namespace)
        self.settings = settings
        installed = json.loads(run("helm", "list", "-n", namespace, "-o", "json"))
        self.was_there = any(one["name"] == "millrace" for one in installed)
        self.chart = CHART if self.was_there else first
        self.trains_first = False
        """Whether its trainings were made with everything else, before there was a row."""
        self.more: list[Path] = []
        """Further values files of each deployment, over those of values()."""
        self.stores: dict[str, str] = {}
        """Images of the stores by their place in the values, where those of the chart can't be had."""
        self.disks = ""
        """Storage class of all volumes; empty is the cluster's default."""
        self.store = "minio" if self.chart == PREVIOUS else "seaweedfs"
        """Where the objects of this release are, from its beginning."""
        self._forward: subprocess.Popen | None = None
        self._doctor: tuple[subprocess.Popen, Path] | None = None

    def helm(self, verb: str, *arguments: str, timeout: float = 900) -> str:
        return run("helm", verb, "millrace", "-n", self.name, *arguments, timeout=timeout)

    def deploy(self, *settings: str) -> None:
        """Install or upgrade to `chart`; further --set settings come on top of the test's values."""
        with tempfile.TemporaryDirectory() as folder:
            values = [part for file in values_of(self.chart, Path(folder)) + self.more for part in ("-f", str(file))]
            arguments = [str(self.chart), *values, *self.settings, *self._storage(), *settings]
            self.helm("upgrade", "--install", *arguments)

    def _storage(self) -> list[str]:
        """Settings of the stores. What began with the former chart has its objects in MinIO, as README.md says."""
        former = self.chart == PREVIOUS
        places = {place: image for place, image in self.stores.items() if not (former and place.endswith("seaweedfs"))}
        result = [f"{place}.image={image}" for place, image in places.items()]
        # Not in values.yaml, since the former chart does not know SeaweedFS.
        result += [f"{place}.storage.size=2Gi" for place in places if place.startswith("storage.")]
        if self.disks:
            result += [f"{place}.storage.class={self.disks}" for place in ("kafka", *places)]
        if not former:
            result.append(f"storage.minio.enabled={str(self.store == 'minio').lower()}")
        return ["--set", ",".join(result)] if result else []

    def await_arrival(self) -> None:
        """Begin what the docs say comes next: the doctor, who waits."""
        output = Path(tempfile.mkdtemp()) / "doctor"
        command = [sys.executable, "-m", "millrace.cli", "doctor", "--cluster", "--namespace", self.name, "--wait=1500"]
        with output.open("w") as file:
            self._doctor = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL), output

    def arrival(self) -> tuple[int, str]:
        """The exit code of that doctor, and all that it has said."""
        process, output = self._doctor
        return process.wait(1500), output.read_text()

    def serves(self) -> None:
        """Wait until all pods of the API are those of the last deployment, and ready."""
        self.kubectl("rollout", "status", "deployment/millrace-api", "--timeout=180s")

    def up(self) -> None:
        """Wait for Kafka and the sinks."""
        wait("Kafka", 300, lambda: self.condition("kafka", "millrace"))
        for workload in WORKLOADS:
            wait("sink", 300, lambda name=workload: self.condition("kafkaconnector", f"lake-{name}"))

    def holds(self) -> dict[str, Any]:
        """What must outlive an upgrade, a rollback and an uninstall: rows, champions, passwords, Kafka's id."""
        secrets = {one["metadata"]["name"]: one.get("data") for one in self.all("secret")}
        return {
            "rows": {workload: self.audit(workload)["rows"] for workload in WORKLOADS},
            "champions": self.champions(),
            "passwords": {name: data for name, data in secrets.items() if name.startswith(KEPT)},
            "kafka": self.get("kafka", "millrace")["status"]["clusterId"],
        }

    def toolbox(self, *command: str, user: str = "") -> str:
        """Run a command in a pod with the addresses and passwords of the provisioning job; with `user`, in one that
        asks Kafka too, as the user of that component."""
        name = f"toolbox-{user}".rstrip("-")
        if not self.pods(f"standin={name}"):
            if user:
                template = self.get("cronjob", "millrace-doctor")["spec"]["jobTemplate"]["spec"]["template"]
            else:
                jobs = self.all("job", "app.kubernetes.io/component=provision")
                template = max(jobs, key=lambda job: job["metadata"]["creationTimestamp"])["spec"]["template"]
            spec = template["spec"]
            container = spec["containers"][0] | {"command": ["sleep", "infinity"], "args": []}
            for variable in container["env"] if user else ():
                if variable["name"] == "MILLRACE_KAFKA_USERNAME":
                    variable["value"] = f"millrace-{user}"
                if variable["name"] == "MILLRACE_KAFKA_PASSWORD":
                    variable["valueFrom"]["secretKeyRef"]["name"] = f"millrace-{user}"
            spec |= {"containers": [container], "terminationGracePeriodSeconds": 1, "restartPolicy": "Never"}
            # Those of the pods that provision, which may ask every part.
            labels = {"standin": name} | SELECTED | {"app.kubernetes.io/component": "provision"}
            metadata = {"name": name, "labels": labels}
            self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
            self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s")
        return self.kubectl("exec", name, "--", *command)

    def audit(self, workload: str) -> dict[str, int]:
        """{"rows", "places", "wanted"}: equal when every record of Kafka is in the lake once."""
        return json.loads(self.toolbox("python", "-c", AUDIT, workload).splitlines()[-1])

    def ingest(self, name: str, workload: str, rows: int, seed: int, rate: str = "") -> dict[str, Any]:
        """Publish generated rows by a copy of the chart's own job, and return its counts."""
        job = next(one for one in self.all("job", f"millrace.io/ingest={workload}"))
        spec = job["spec"]["template"]["spec"]
        wanted = {"--rows": f"--rows={rows}", "--seed": f"--seed={seed}"}
        generate = spec["initContainers"][0]
        generate["args"] = [wanted.get(argument.partition("=")[0], argument) for argument in generate["args"]]
        if rate:
            spec["containers"][0]["args"].insert(-1, f"--rate={rate}")
        # Without those that tie a pod to the job that was copied.
        result = job["spec"]["template"]["metadata"]["labels"].items()
        labels = {key: value for key, value in result if key.startswith("app.kubernetes.io/")}
        template = {"metadata": {"labels": labels}, "spec": spec}
        self.kubectl("delete", "job", f"test-ingest-{name}", "--ignore-not-found")
        metadata = {"name": f"test-ingest-{name}", "labels": labels}
        body = {"backoffLimit": 10, "template": template}
        self.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": body})
        return self.finished(f"test-ingest-{name}")

    def finished(self, job: str, seconds: float = 300) -> dict[str, Any]:
        """Wait for an ingest job and return the counts that it printed."""
        wait(f"job {job}", seconds, lambda: self.get("job", job).get("status", {}).get("succeeded"))
        # A pod before it may have come before its topic was there, and have said so.
        done = [pod for pod in self.all("pod", f"job-name={job}") if pod["status"]["phase"] == "Succeeded"]
        output = self.kubectl("logs", done[0]["metadata"]["name"], "-c", "ingest")
        # Sentences on standard error stand before the JSON.
        return json.JSONDecoder().raw_decode(output[output.index("{") :])[0]

    def landed(self, workload: str, rows: int, seconds: float = 240) -> dict[str, int]:
        """Wait until the lake holds so many rows."""

        def probe() -> dict[str, int] | None:
            result = self.audit(workload)
            return result if result["rows"] >= rows else None

        return wait(f"{rows} rows of {workload} in the lake", seconds, probe, 2)

    def train(self, *workloads: str) -> None:
        """Run trainings anew, those of all workloads where none is named, and wait until they have completed."""
        self.kubectl("delete", "sparkapplication", "--all")
        waiting = [name for name in WORKLOADS if workloads and name not in workloads]
        settings = ["training.suspend=false", *(f"training.workloads.{name}.suspend=true" for name in waiting)]
        self.deploy("--set", ",".join(settings))
        for workload in workloads or WORKLOADS:
            self.trained(f"millrace-train-{workload}")

    def trained(self, application: str = "millrace-train-courses", seconds: float = 600) -> None:
        """Wait until a SparkApplication has completed. Raises Failed with the driver's last words."""

        def probe() -> bool:
            state = self.get("sparkapplication", application).get("status", {}).get("applicationState", {})
            assert state.get("state") == "COMPLETED", state
            return True

        wait(application, seconds, probe, 2)

    def address(self) -> str:
        """Where the API's Service answers from outside: its own address if reached, or a forwarded port."""
        service = self.get("service", "millrace-api")["spec"]
        host, port = service["clusterIP"], service["ports"][0]["port"]
        with socket.socket() as probe:
            probe.settimeout(2)
            if probe.connect_ex((host, port)) == 0:
                return f"http://{host}:{port}"
        if self._forward is None or self._forward.poll() is not None:
            command = ["kubectl", "-n", self.name, "port-forward", "service/millrace-api", f":{port}"]
            self._forward = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            self._port = self._forward.stdout.readline().split("->")[0].rpartition(":")[2].strip()
            time.sleep(0.5)
        return f"http://127.0.0.1:{self._port}"

    def pages(self, workload: str) -> dict[str, int]:
        """What became of a workload's pages. Records, rows, places, messages and keys are equal where each is once in
        the table and in the topics of the clusters; `apart` are those of which table and topic say different
        clusters."""
        return json.loads(self.toolbox("python", "-c", PAGES, workload, user="stream").splitlines()[-1])

    def ask(self, path: str = "/course_popularity", body: Any = QUESTION) -> httpx.Response:
        return httpx.post(self.address() + path, json=body, timeout=10)

    def champions(self) -> dict[str, str]:
        """The versions that the API serves, by model."""
        answer = httpx.get(self.address() + "/v1/models", timeout=10)
        return {one["model"]: one["version"] for one in answer.json()}

    def champion(self) -> str:
        """The version of courses/popularity that the API serves."""
        return self.champions()["courses/popularity"]

    def close(self) -> None:
        if self._doctor is not None:
            self._doctor[0].kill()
            self._doctor[0].wait()
            shutil.rmtree(self._doctor[1].parent)
        if self._forward is not None:
            self._forward.terminate()
            self._forward.wait()
            self._forward.stdout.close()
