"""Compaction of small files, expiry of old snapshots and retention of versions, as a job beside the running sink."""

import argparse
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from millrace.errors import MillraceError
from millrace.lake import CATALOG, assignments_table_name, gaps_table_name, pages_table_name, table_name
from millrace.lake.gaps import record_dead_letters
from millrace.runtime.logs import start_logging
from millrace.runtime.text import dump_json
from millrace.spark.rows import only_row
from millrace.training.sales import tables as sales
from millrace.workloads import find_workload
from millrace.workloads.base import Workload

log = logging.getLogger(__name__)
TAG_DAYS = 365  # how long a snapshot that a model was trained on stays readable, as long as one of its versions is kept
TAG_PREFIX = "trained-"


def tag_snapshot(spark: SparkSession, workload: Workload, snapshot_id: str) -> None:
    """Name the snapshot, so that expiry keeps it: the data of a version that is kept can be read again for a year."""
    table = f"{CATALOG}.{table_name(workload.name)}"
    spark.sql(
        f"ALTER TABLE {table} CREATE TAG IF NOT EXISTS `{TAG_PREFIX}{int(snapshot_id)}` "
        f"AS OF VERSION {int(snapshot_id)} RETAIN {TAG_DAYS} DAYS"
    )


def compact_tables(spark: SparkSession, workload: Workload, keep_days: float) -> list[dict[str, Any]]:
    """Rewrite small data files into large ones, then drop untagged snapshots older than `keep_days`, keeping one.

    Both are commits like the sink's: whoever meets another one tries again, and readers keep their snapshot.
    """
    before = (datetime.now(UTC) - timedelta(days=keep_days)).strftime("%Y-%m-%d %H:%M:%S.%f")
    results = []
    kept = [*sales.list_kept_tables(workload), gaps_table_name(workload.name)]
    kept = [name for name in kept if spark.catalog.tableExists(f"{CATALOG}.{name}")]
    kept += [pages_table_name(workload.name)] if workload.pages else []
    for name in (table_name(workload.name), assignments_table_name(workload.name), *kept):
        rewriting = spark.sql(
            f"CALL {CATALOG}.system.rewrite_data_files(table => '{name}', "
            "options => map('min-input-files', '2', 'partial-progress.enabled', 'true'))"
        )
        rewritten = only_row(rewriting)
        expiring = spark.sql(
            f"CALL {CATALOG}.system.expire_snapshots(table => '{name}', older_than => TIMESTAMP '{before}', "
            "retain_last => 1)"
        )
        expired = only_row(expiring)
        results.append(
            {
                "table": name,
                "files_rewritten": rewritten["rewritten_data_files_count"],
                "files_written": rewritten["added_data_files_count"],
                "files_deleted": expired["deleted_data_files_count"],
            }
        )
    return results


def remember_dead_letters(workloads: Iterable[Workload]) -> None:
    """Write down what Connect could not read while Kafka still tells of it, for workloads that nobody trains.

    Where Kafka does not answer, that is logged: the tables are compacted all the same.
    """
    try:
        record_dead_letters(workloads)
    except MillraceError as error:
        log.warning("Dead letters were not written down beside the data: %s", error.message)


def main(arguments: list[str] | None = None) -> int:
    """The command of spark-apps/compact.py: a JSON line a table."""
    from millrace.registry.registry import Registry
    from millrace.registry.retention import RetentionRule
    from millrace.spark.session import start_session
    from millrace.training.retention import retain

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="+")
    parser.add_argument("--keep-days", type=float, default=7.0, help="age from which on every untagged snapshot goes")
    parser.add_argument("--retain-versions", type=int, help="the newest versions of a model that are kept")
    parser.add_argument("--retain-days", type=float, help="age up to which every version is kept")
    options = parser.parse_args(arguments)
    start_logging()
    try:
        default = RetentionRule.from_settings()
        rule = RetentionRule(options.retain_versions or default.versions, options.retain_days or default.days)
        selected = [find_workload(name) for name in options.workloads]
        remember_dead_letters(selected)
        session = start_session("millrace-compact-" + "-".join(options.workloads))
        try:
            for workload in selected:
                # First: what goes with a version is what compaction and expiry need not keep.
                retain(session, Registry(), workload, rule)
                for result in compact_tables(session, workload, options.keep_days):
                    sys.stdout.write(dump_json(result, encoding=sys.stdout.encoding) + "\n")
                    sys.stdout.flush()
        finally:
            session.stop()
        return 0
    except MillraceError as error:
        sys.stdout.write(dump_json({"error": error.as_dict()}, encoding=sys.stdout.encoding) + "\n")
        return error.exit_code
