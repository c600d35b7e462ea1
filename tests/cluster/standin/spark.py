"""SparkApplication: submitted by a Job that runs spark-submit, watched by its driver's pod, run again as it says."""

import time
from typing import Any

from millrace.doctor.pods import age_s
from tests.cluster.standin import pods, spark_submit
from tests.cluster.standin.conditions import now
from tests.cluster.standin.kube import Kube

ACCOUNT = "standin-spark-submit"
ENDED = ("COMPLETED", "FAILED")
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 185,
    "seccompProfile": {"type": "RuntimeDefault"},
}


class Applications:
    """The SparkApplications of a namespace. What they came to is in their status, so a new stand-in goes on."""

    def __init__(self, kube: Kube):
        self._kube = kube
        self._generations: dict[str, int] = {}

    def reconcile(self, application: dict[str, Any]) -> None:
        """One step of one application. Raises Refused."""
        of = spark_submit.read(application, self._kube.namespace)
        name, uid = application["metadata"]["name"], application["metadata"]["uid"]
        status = application.get("status") or {}
        state = status.get("applicationState", {}).get("state", "")
        generation = application["metadata"]["generation"]
        before = self._generations.setdefault(uid, generation)
        if of.suspended:
            if state not in ("SUSPENDED", *ENDED):
                self._clear(name)
                self._say(application, "SUSPENDED")
        elif before != generation:
            # A changed spec ends the run and begins another, attempts counted anew.
            self._generations[uid] = generation
            self._clear(name)
            self._say(application, "INVALIDATING", executionAttempts=0, submissionAttempts=0)
        elif state in ("", "INVALIDATING", "SUSPENDED"):
            self._submit(application, of, status)
        elif state == "FAILING":
            if _due(status, of.retries["onFailureRetryInterval"]):
                self._say(application, "PENDING_RERUN")
        elif state == "SUCCEEDING":
            # As the operator: what always runs begins again without a pause, and attempts are counted on.
            self._say(application, "PENDING_RERUN")
        elif state == "PENDING_RERUN":
            self._clear(name)
            self._submit(application, of, status)
        elif state == "SUBMISSION_FAILED":
            if _due(status, of.retries["onSubmissionFailureRetryInterval"]):
                self._submit(application, of, status)
        elif state in ("SUBMITTED", "RUNNING"):
            self._watch(application, of, status, state)
        elif state in ENDED and of.keep_seconds is not None and age_s(status["terminationTime"]) > of.keep_seconds:
            self._kube.delete("SparkApplication", name)

    def _say(self, application: dict[str, Any], state: str, message: str = "", **rest: Any) -> None:
        report = {"applicationState": {"state": state, "errorMessage": message}}
        if "driverInfo" not in (application.get("status") or {}):
            report["driverInfo"] = {}  # the definition wants it
        self._kube.status(application, report | rest)

    def _clear(self, name: str) -> None:
        for pod in self._kube.list("Pod", f"sparkoperator.k8s.io/app-name={name}"):
            self._kube.delete("Pod", pod["metadata"]["name"])
        while self._kube.get("Pod", f"{name}-driver"):
            time.sleep(0.5)

    def _submit(self, application: dict[str, Any], of: spark_submit.Submission, status: dict[str, Any]) -> None:
        name, attempt = application["metadata"]["name"], status.get("submissionAttempts", 0) + 1
        generation = application["metadata"]["generation"]
        own = f"{name}-submit-{generation}-{status.get('executionAttempts', 0)}-{attempt}"
        self._account()
        labels = {"standin/submits": name}
        self._kube.apply(pods.owned(application, "ConfigMap", f"{name}-pods", labels, data={
            f"{role}.json": template for role, template in of.templates.items()
        }))  # fmt: skip
        container = {
            "name": "submit",
            "image": of.image,
            "imagePullPolicy": of.pull,
            "command": ["/opt/spark/bin/spark-submit", *of.arguments()],
            "securityContext": RESTRICTED,
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
            "volumeMounts": [
                {"name": "pods", "mountPath": "/etc/millrace-standin"},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        }
        pod = {
            "restartPolicy": "Never",
            "serviceAccountName": ACCOUNT,
            "enableServiceLinks": False,
            "containers": [container],
            "volumes": [{"name": "pods", "configMap": {"name": f"{name}-pods"}}, {"name": "tmp", "emptyDir": {}}],
        }
        job = {"backoffLimit": 0, "template": {"metadata": {"labels": labels}, "spec": pod}}
        self._kube.apply(pods.owned(application, "Job", own, labels, spec=job))
        self._say(
            application,
            "SUBMITTED",
            submissionAttempts=attempt,
            submissionID=own,
            lastSubmissionAttemptTime=now(),
            terminationTime=None,
            driverInfo={"podName": f"{name}-driver"},
        )

    def _account(self) -> None:
        """spark-submit makes the driver's pod, its service and its configuration."""
        labels = {"app.kubernetes.io/managed-by": "millrace-standin"}
        rules = [{"apiGroups": [""], "resources": ["pods", "services", "configmaps"], "verbs": ["*"]}]
        group = "rbac.authorization.k8s.io"
        bound = {"roleRef": {"apiGroup": group, "kind": "Role", "name": ACCOUNT}}
        bound["subjects"] = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self._kube.namespace}]
        for version, kind, rest in (
            ("v1", "ServiceAccount", {}),
            (f"{group}/v1", "Role", {"rules": rules}),
            (f"{group}/v1", "RoleBinding", bound),
        ):
            metadata = {"name": ACCOUNT, "labels": labels}
            self._kube.apply({"apiVersion": version, "kind": kind, "metadata": metadata, **rest})

    def _watch(
        self, application: dict[str, Any], of: spark_submit.Submission, status: dict[str, Any], state: str
    ) -> None:
        name = application["metadata"]["name"]
        driver = self._kube.get("Pod", f"{name}-driver")
        if driver is None:
            submitted = (self._kube.get("Job", status["submissionID"]) or {}).get("status") or {}
            # A submission that has just ended made a pod, which may have come after the look above.
            lost = submitted.get("succeeded") and not self._kube.get("Pod", f"{name}-driver")
            if state == "RUNNING" or lost:
                self._ended(application, of, status, "the driver's pod is gone")
            elif submitted.get("failed"):
                self._submission_failed(application, of, status)
            return
        phase = driver["status"]["phase"]
        executors = self._kube.list("Pod", f"sparkoperator.k8s.io/app-name={name},spark-role=executor")
        report = {pod["metadata"]["name"]: pod["status"]["phase"].upper() for pod in executors}
        if phase == "Running" and state == "SUBMITTED":
            attempts = status.get("executionAttempts", 0) + 1
            app = driver["metadata"]["labels"].get("spark-app-selector", "")
            self._say(application, "RUNNING", executionAttempts=attempts, executorState=report, sparkApplicationId=app)
        elif phase == "Running" and report != status.get("executorState"):
            self._kube.status(application, {"executorState": report})
        elif phase == "Succeeded":
            self._say(application, "SUCCEEDING" if of.always else "COMPLETED", terminationTime=now())
        elif phase == "Failed":
            ended = (driver["status"].get("containerStatuses") or [{}])[0].get("state", {}).get("terminated", {})
            self._ended(application, of, status, f"driver ended with {ended.get('exitCode')} {ended.get('reason', '')}")

    def _ended(self, application: dict, of: spark_submit.Submission, status: dict[str, Any], why: str) -> None:
        again = of.always or status.get("executionAttempts", 1) <= of.retries["onFailureRetries"]
        self._say(application, "FAILING" if again else "FAILED", why, terminationTime=now())

    def _submission_failed(self, application: dict, of: spark_submit.Submission, status: dict[str, Any]) -> None:
        again = of.always or status.get("submissionAttempts", 1) <= of.retries["onSubmissionFailureRetries"]
        state = "SUBMISSION_FAILED" if again else "FAILED"
        self._say(application, state, "spark-submit failed; its Job's log says why", terminationTime=now())


def _due(status: dict[str, Any], interval: float) -> bool:
    """Whether it is time to try again: as seen with spark-operator 2.5.2, the interval counts from the last
    submission, not from the end of the run, once before the first retry, twice before the second, and so on."""
    return age_s(status["lastSubmissionAttemptTime"]) >= interval * status.get("submissionAttempts", 1)
