"""From the spec of a SparkApplication to the arguments of spark-submit and the two pod templates.

spark-operator passes the same as configuration, and what Spark has no configuration for by its webhook; a pod template
reaches the same pods without one. It leaves service links on, as neither of them switches them off.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.standin import strict
from tests.cluster.standin.fields import Refused, Section, whole

SPARK = "4.0.4"
LOCAL_DIR = "spark-local-dir-"
SCHEDULING = ("nodeSelector", "tolerations", "affinity", "priorityClassName", "topologySpreadConstraints")


@dataclass
class Submission:
    """`conf` and `templates` are complete; `rest` is the application and its arguments."""

    image: str
    pull: str
    conf: dict[str, str]
    templates: dict[str, str]
    rest: list[str]
    retries: dict[str, int] = field(default_factory=dict)
    always: bool = False
    keep_seconds: int | None = None
    suspended: bool = False

    def arguments(self) -> list[str]:
        flags = [part for key, value in sorted(self.conf.items()) for part in ("--conf", f"{key}={value}")]
        master = ["--master", "k8s://https://kubernetes.default.svc:443", "--deploy-mode", "cluster"]
        return [*master, *flags, *self.rest]


def read(application: dict[str, Any], namespace: str) -> Submission:
    """Raises Refused for a field that is not honoured."""
    strict.check_application(application)
    name = application["metadata"]["name"]
    with whole(application) as spec:
        spec.only("type", "Python")
        spec.only("mode", "cluster")
        spec.only("sparkVersion", SPARK)
        spec.only("pythonVersion", "3")
        image, pull = spec.need("image"), spec.take("imagePullPolicy", "IfNotPresent")
        conf = {str(key): str(value) for key, value in spec.take("sparkConf", {}).items()}
        conf |= {
            "spark.app.name": name,
            "spark.kubernetes.namespace": namespace,
            "spark.kubernetes.submission.waitAppCompletion": "false",
            "spark.kubernetes.container.image": image,
            "spark.kubernetes.container.image.pullPolicy": pull,
            "spark.kubernetes.driver.pod.name": f"{name}-driver",
        }
        secrets = [one["name"] if isinstance(one, dict) else one for one in spec.take("imagePullSecrets", [])]
        if secrets:
            conf["spark.kubernetes.container.image.pullSecrets"] = ",".join(secrets)
        with spec.sub("dynamicAllocation") as dynamic:
            conf |= _dynamic(dynamic)
        volumes = {volume["name"]: volume for volume in spec.take("volumes", [])}
        templates = {
            role: json.dumps(_pod(spec.sub(role), role, application, volumes, conf)) for role in ("driver", "executor")
        }
        rest = [spec.need("mainApplicationFile"), *map(str, spec.take("arguments", []))]
        with spec.sub("restartPolicy") as restart:
            kind = restart.only("type", "OnFailure", "Never", "Always")
            names = ("onFailureRetries", "onFailureRetryInterval", "onSubmissionFailureRetries")
            retries = {key: restart.take(key, 0) for key in (*names, "onSubmissionFailureRetryInterval")}
            if kind != "OnFailure":
                retries |= {"onFailureRetries": 0, "onSubmissionFailureRetries": 0}
            for name in ("onFailureRetryInterval", "onSubmissionFailureRetryInterval") if kind == "Always" else ():
                if not retries[name]:
                    raise Refused(f"{restart.path}: the operator starts nothing again without {name}")
        keep, suspended = spec.take("timeToLiveSeconds"), spec.take("suspend", False)
    conf |= {f"spark.kubernetes.{role}.podTemplateFile": f"/etc/millrace-standin/{role}.json" for role in templates}
    return Submission(image, pull, conf, templates, rest, retries, kind == "Always", keep, suspended)


def _dynamic(section: Section) -> dict[str, str]:
    if not section.take("enabled", False):
        return {}
    tracked = str(section.take("shuffleTrackingEnabled", True)).lower()
    result = {"spark.dynamicAllocation.enabled": "true", "spark.dynamicAllocation.shuffleTracking.enabled": tracked}
    for name in ("initialExecutors", "minExecutors", "maxExecutors"):
        if (value := section.take(name)) is not None:
            result[f"spark.dynamicAllocation.{name}"] = str(value)
    return result


def _pod(
    section: Section, role: str, application: dict[str, Any], volumes: dict[str, Any], conf: dict[str, str]
) -> dict[str, Any]:
    """The pod template of driver or executor; what Spark has configuration for goes into `conf`."""
    options = {
        "cores": f"spark.{role}.cores",
        "coreRequest": f"spark.kubernetes.{role}.request.cores",
        "coreLimit": f"spark.kubernetes.{role}.limit.cores",
        "memory": f"spark.{role}.memory",
        "memoryOverhead": f"spark.{role}.memoryOverhead",
        "javaOptions": f"spark.{role}.extraJavaOptions",
        "serviceAccount": f"spark.kubernetes.authenticate.{role}.serviceAccountName",
    }
    of = application["metadata"]
    marks = {"sparkoperator.k8s.io/app-name": of["name"], "sparkoperator.k8s.io/launched-by-spark-operator": "true"}
    with section:
        for name, option in options.items():
            if (value := section.take(name)) is not None:
                conf[option] = str(value)
        if role == "executor":
            if (instances := section.take("instances")) is not None:
                conf["spark.executor.instances"] = str(instances)
            conf["spark.kubernetes.executor.deleteOnTermination"] = str(
                section.take("deleteOnTermination", True)
            ).lower()
        for key, value in (marks | section.take("labels", {})).items():
            conf[f"spark.kubernetes.{role}.label.{key}"] = value
        for key, value in section.take("annotations", {}).items():
            conf[f"spark.kubernetes.{role}.annotation.{key}"] = value
        mounts = section.take("volumeMounts", [])
        container = {
            "name": f"spark-kubernetes-{role}",
            "env": section.take("env", []),
            "securityContext": section.take("securityContext", {}),
            "volumeMounts": [mount for mount in mounts if not mount["name"].startswith(LOCAL_DIR)],
        }
        if ports := section.take("ports"):
            container["ports"] = ports
        pod = {"securityContext": section.take("podSecurityContext", {})}
        pod |= {name: value for name in SCHEDULING if (value := section.take(name)) is not None}
    for mount in mounts:
        # Shuffle and spill: the operator hands these to Spark as configuration, also without a webhook.
        if mount["name"].startswith(LOCAL_DIR):
            option = f"spark.kubernetes.{role}.volumes.emptyDir.{mount['name']}"
            conf[f"{option}.mount.path"] = mount["mountPath"]
            if limit := volumes[mount["name"]]["emptyDir"].get("sizeLimit"):
                conf[f"{option}.options.sizeLimit"] = str(limit)
    used = {mount["name"] for mount in container["volumeMounts"]}
    pod |= {"containers": [container], "volumes": [volumes[name] for name in sorted(used)]}
    owner = {"apiVersion": application["apiVersion"], "kind": "SparkApplication", "name": of["name"], "uid": of["uid"]}
    metadata = {"ownerReferences": [owner | {"controller": True}]} if role == "driver" else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}
