"""ScheduledSparkApplication: a SparkApplication of its template whenever its schedule says so."""

import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from tests.cluster.standin import pods, spark_submit
from tests.cluster.standin.fields import Refused, whole
from tests.cluster.standin.kube import Kube
from tests.cluster.standin.spark import ENDED

STAMP = "%Y-%m-%dT%H:%M:%SZ"


def following(schedule: str, zone: str, after: datetime) -> datetime:
    """The next time of a cron expression of five fields, in UTC. Raises Refused when it is none."""
    try:
        return next(CronSim(schedule, after.astimezone(ZoneInfo(zone)))).astimezone(UTC)
    except CronSimError as error:
        raise Refused(f"spec.schedule is {schedule!r}: {error}") from None


class Schedules:
    """The schedules of a namespace. When they run next is in their status."""

    def __init__(self, kube: Kube):
        self._kube = kube

    def reconcile(self, scheduled: dict[str, Any]) -> None:
        """One step of one schedule. Raises Refused, also for what its template holds."""
        with whole(scheduled) as spec:
            schedule, zone = spec.need("schedule"), spec.take("timeZone", "UTC")
            spec.only("concurrencyPolicy", "Forbid")
            limits = {"COMPLETED": "successfulRunHistoryLimit", "FAILED": "failedRunHistoryLimit"}
            kept = {state: spec.take(limit, 1) for state, limit in limits.items()}
            suspended, template = spec.take("suspend", False), spec.need("template")
        metadata, status = scheduled["metadata"], scheduled.get("status") or {}
        spark_submit.read(scheduled | {"spec": template}, self._kube.namespace)
        if suspended:
            self._say(scheduled, scheduleState="Suspended")
            return
        runs = self._runs(metadata["uid"])
        self._forget(runs, kept)
        due, now = status.get("nextRun"), datetime.now(UTC)
        if due is None or status.get("scheduleState") != "Scheduled":
            due = following(schedule, zone, now).strftime(STAMP)
            self._say(scheduled, scheduleState="Scheduled", nextRun=due)
        elif datetime.fromisoformat(due) <= now and all(state in ENDED for _, state in runs):
            name = f"{metadata['name']}-{time.time_ns()}"
            self._kube.apply(pods.owned(scheduled, "SparkApplication", name, {}, spec=template))
            due = following(schedule, zone, now).strftime(STAMP)
            self._say(scheduled, lastRun=now.strftime(STAMP), lastRunName=name, nextRun=due)

    def _say(self, scheduled: dict[str, Any], **status: Any) -> None:
        before = scheduled.get("status") or {}
        if any(before.get(key) != value for key, value in status.items()):
            self._kube.status(scheduled, status)

    def _runs(self, uid: str) -> list[tuple[str, str]]:
        """(name, state) of the runs of a schedule, oldest first."""
        results = []
        for run in self._kube.list("SparkApplication"):
            if any(owner["uid"] == uid for owner in run["metadata"].get("ownerReferences", ())):
                state = (run.get("status") or {}).get("applicationState", {}).get("state", "")
                results.append((run["metadata"]["name"], state))
        return sorted(results)

    def _forget(self, runs: list[tuple[str, str]], kept: dict[str, int]) -> None:
        for ended, limit in kept.items():
            names = [name for name, state in runs if state == ended]
            for name in names[: max(len(names) - limit, 0)]:
                self._kube.delete("SparkApplication", name)
