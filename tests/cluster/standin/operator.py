"""The loop: look at every resource once a second or so, and bring the cluster to what they say."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from millrace.doctor.pods import age_s
from millrace.local.kafka import make_cluster_id
from tests.cluster.standin import connect, kafka, pods
from tests.cluster.standin.conditions import not_ready, paused, ready
from tests.cluster.standin.connect import Connectors, Waiting
from tests.cluster.standin.entities import Entities
from tests.cluster.standin.fields import Refused
from tests.cluster.standin.kube import Kube
from tests.cluster.standin.scheduled import Schedules
from tests.cluster.standin.spark import Applications
from tests.cluster.standin.volumes import Disks

log = logging.getLogger("standin")
VALUES = Path(__file__).parents[3] / "k8s/operators/strimzi.yaml"
ENTITIES_S = 100.0
"""As seen with Strimzi 1.2.0 on two cores: from the making of a Kafka to the secret of its first user."""
FULL_RECONCILIATION_S = yaml.safe_load(VALUES.read_text())["fullReconciliationIntervalMs"] / 1000
"""Strimzi looks again at what failed, such as a Connect whose secrets were not there yet, only so often."""
AGAIN = 20  # passes after which a resource is applied anew, in case something of it was deleted


class Operator:
    """Both operators for one namespace. `refused` holds what they could not honour, for the tests to fail on; with
    `disks`, it makes volumes on this machine, which then must be the node."""

    def __init__(self, namespace: str, kafka_image: str, entities_image: str, disks: bool = False):
        self.kube = Kube(namespace)
        self._disks = Disks(self.kube) if disks else None
        if self._disks:
            self._disks.offer()
        self.refused: dict[str, str] = {}
        self._images = kafka_image, entities_image
        self._entities: dict[str, Entities] = {}
        self._connectors: dict[str, Connectors] = {}
        self._applications = Applications(self.kube)
        self._schedules = Schedules(self.kube)
        self._applied: dict[str, str] = {}
        self._not_before: dict[str, float] = {}
        self._passes = 0

    def once(self) -> None:
        """One look at everything."""
        self._passes += 1
        if self._passes % AGAIN == 0:
            self._applied.clear()
        if self._disks:
            self._disks.reconcile()
        pools = self.kube.list("KafkaNodePool")
        for resource in self.kube.list("Kafka"):
            self._guard(resource, lambda item: self._kafka(item, pools))
        for resource in self.kube.list("KafkaConnect"):
            self._guard(resource, self._connect)
        for resource in self.kube.list("ScheduledSparkApplication"):
            self._guard(resource, self._schedules.reconcile)
        for resource in self.kube.list("SparkApplication"):
            self._guard(resource, self._applications.reconcile)

    def _kafka(self, values: dict[str, Any], pools: list[dict[str, Any]]) -> None:
        if (status := paused(values)) is not None:
            self.kube.status(values, status)
            return
        name, (kafka_image, entities_image) = values["metadata"]["name"], self._images
        # A new Kafka gets a new id, also on volumes that know another: its brokers then refuse to start, as Strimzi's.
        if "clusterId" not in (values.get("status") or {}):
            values["status"] = (values.get("status") or {}) | {"clusterId": make_cluster_id(uuid.uuid4)}
            self.kube.status(values, {"clusterId": values["status"]["clusterId"]})
        specs = [pool["spec"] for pool in pools]
        self._changed(values, lambda: kafka.reconcile(self.kube, values, pools, kafka_image), specs)
        if not kafka.ready(self.kube, name):
            self.kube.status(values, not_ready(values, "Creating", "the nodes are not all ready"))
            return
        entities = self._entities.setdefault(name, Entities(self.kube, name, entities_image))
        self._changed(values | {"kind": "Entities"}, lambda: entities.pod(values))
        if (
            self._up("Deployment", f"{name}-entity-operator")
            and age_s(values["metadata"]["creationTimestamp"]) > ENTITIES_S
        ):
            entities.reconcile(self.kube.list("KafkaTopic"), self.kube.list("KafkaUser"))
        self.kube.status(values, ready(values) | {"kafkaVersion": kafka.VERSION})
        for pool in pools:
            self.kube.status(pool, ready(pool) | {"replicas": pool["spec"]["replicas"]})

    def _connect(self, values: dict[str, Any]) -> None:
        name = values["metadata"]["name"]
        if time.monotonic() < self._not_before.get(name, 0):
            return
        try:
            self._changed(values, lambda: connect.reconcile(self.kube, values))
        except Waiting as missing:
            self._not_before[name] = time.monotonic() + FULL_RECONCILIATION_S
            self.kube.status(values, not_ready(values, "InvalidConfigurationException", str(missing)))
            raise
        if not self._up("StatefulSet", f"{name}-connect"):
            self.kube.status(values, not_ready(values, "Creating", "no worker is ready"))
            return
        self.kube.status(values, ready(values) | {"url": f"http://{name}-connect-api.{self.kube.namespace}.svc:8083"})
        connectors = self._connectors.setdefault(name, Connectors(self.kube, name))
        mine = [
            item
            for item in self.kube.list("KafkaConnector")
            if (item["metadata"].get("labels") or {}).get("strimzi.io/cluster") == name
        ]
        for item in mine:
            self._guard(item, connectors.reconcile)
        connectors.prune({item["metadata"]["name"] for item in mine})

    def _changed(self, values: dict[str, Any], apply: Callable[[], None], *more: Any) -> None:
        key, mark = f"{values['kind']}/{values['metadata']['uid']}", pods.fingerprint(values["spec"], more)
        if self._applied.get(key) != mark:
            apply()
            self._applied[key] = mark

    def _up(self, kind: str, name: str) -> bool:
        result = self.kube.get(kind, name) or {}
        return (result.get("status") or {}).get("readyReplicas", 0) > 0

    def _guard(self, values: dict[str, Any], step: Callable[[dict[str, Any]], None]) -> None:
        """One resource's fault is written into its status and does not stop the others."""
        key = f"{values['kind']}/{values['metadata']['name']}"
        try:
            step(values)
            self.refused.pop(key, None)
        except Refused as refusal:
            if self.refused.get(key) != str(refusal):
                log.error("REFUSED %s: %s", key, refusal)
            self.refused[key] = str(refusal)
            if values["kind"] not in ("SparkApplication", "ScheduledSparkApplication"):
                self.kube.status(values, not_ready(values, "InvalidResourceException", str(refusal)))
        except (Waiting, RuntimeError, httpx.HTTPError) as fault:
            log.info("%s: %s", key, fault)


@contextmanager
def running(
    namespace: str, kafka_image: str, entities_image: str, disks: bool = False, pause: float = 1.0
) -> Iterator[Operator]:
    """The operator in a thread, until the block ends."""
    operator, stop = Operator(namespace, kafka_image, entities_image, disks), threading.Event()

    def loop() -> None:
        while not stop.is_set():
            try:
                operator.once()
            except Exception:
                log.exception("this look at the cluster failed")
            stop.wait(pause)

    thread = threading.Thread(target=loop, name="standin", daemon=True)
    thread.start()
    try:
        yield operator
    finally:
        stop.set()
        thread.join(timeout=130)
        operator.kube.close()
