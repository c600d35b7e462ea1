"""The retention rule, applied to all that a version leaves: its objects, its assignments, the tag of its snapshot."""

import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from millrace.lake import CATALOG, assignments_table_name, table_name
from millrace.registry.registry import Registry
from millrace.registry.retention import YOUNG, RetentionResult, RetentionRule, apply_retention
from millrace.training.maintenance import TAG_PREFIX
from millrace.workloads.base import Workload

log = logging.getLogger(__name__)

VERSION = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")
MODEL = re.compile(r"[a-z][a-z0-9_]{0,62}")


def retain(spark: SparkSession, registry: Registry, workload: Workload, rule: RetentionRule) -> list[RetentionResult]:
    """Apply the rule to every model that was ever published, then to what the lake keeps for their versions.

    Each step can be repeated: a run that was killed is finished by the next one. Nothing is taken from the lake where
    the registry knows no version at all: then it is more likely that this is not the registry that was trained with.
    """
    now = datetime.now(UTC)
    results = [apply_retention(registry, workload.name, model, rule, now) for model in registry.models(workload.name)]
    if any(result.kept for result in results):
        present = {
            (model, version)
            for model in registry.models(workload.name)
            for version in registry.versions(workload.name, model)
        }
        rows = delete_assignments(spark, workload, present, now)
        tags = drop_tags(spark, workload, results, now)
        log.info("%s: assignments of %s versions and %s tags removed", workload.name, rows, tags)
    for result in results:
        counts = len(result.kept), len(result.retired), len(result.deleted), result.claims
        log.info("%s: %s versions kept, %s retired, %s deleted; %s claims deleted", result.model, *counts)
    return results


def delete_assignments(spark: SparkSession, workload: Workload, present: set[tuple[str, str]], now: datetime) -> int:
    """Delete the assignments of versions of which the registry has no object; how many versions that were."""
    table = f"{CATALOG}.{assignments_table_name(workload.name)}"
    pairs = [(row.model, row.version) for row in spark.table(table).select("model", "version").distinct().collect()]
    conditions = [
        f"(model = '{model}' AND version = '{version}')" for model, version in select_dropped(pairs, present, now)
    ]
    if conditions:
        spark.sql(f"DELETE FROM {table} WHERE {' OR '.join(conditions)}")
    return len(conditions)


def select_dropped(
    pairs: Sequence[tuple[str, str]], present: set[tuple[str, str]], now: datetime
) -> list[tuple[str, str]]:
    """(model, version) of those that are not present any more. What does not look like one of ours stays."""
    dropped = []
    for model, version in sorted(pairs):
        match = VERSION.fullmatch(version)
        if match is None or MODEL.fullmatch(model) is None or (model, version) in present:
            continue
        if now - datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) > YOUNG:
            dropped.append((model, version))
    return dropped


def drop_tags(spark: SparkSession, workload: Workload, results: Sequence[RetentionResult], now: datetime) -> int:
    """Drop the tags of snapshots that no kept version was trained on; how many.

    A snapshot of the last day stays: a training that has not published yet may be reading it.
    """
    table = f"{CATALOG}.{table_name(workload.name)}"
    used = {manifest.data.snapshot_id for result in results for manifest in result.kept}
    query = (
        f"SELECT r.name, r.snapshot_id, s.committed_at FROM {table}.refs r JOIN {table}.snapshots s "
        f"ON r.snapshot_id = s.snapshot_id WHERE r.type = 'TAG' AND r.name LIKE '{TAG_PREFIX}%'"
    )
    youngest = (now - YOUNG).timestamp()
    dropped = [
        row.name
        for row in spark.sql(query).collect()
        if str(row.snapshot_id) not in used and row.committed_at.timestamp() < youngest
    ]
    for name in dropped:
        spark.sql(f"ALTER TABLE {table} DROP TAG IF EXISTS `{name}`")
    return len(dropped)
