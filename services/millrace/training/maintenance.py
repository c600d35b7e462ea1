"""Compaction of small files and expiry of old snapshots, as a job beside the running sink."""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from millrace.errors import MillraceError
from millrace.lake import CATALOG, assignments_name, pages_name, table_name
from millrace.runtime.text import dump_json, print_logs_safely
from millrace.training import sales
from millrace.training.rows import only_row
from millrace.workloads import workload
from millrace.workloads.base import Workload

TAG_DAYS = 365  # how long a snapshot that a model was trained on stays readable


def tag_snapshot(spark: SparkSession, workload_: Workload, snapshot_id: str) -> None:
    """Name the snapshot, so that expiry keeps it: a version's data can be read again for a year."""
    table = f"{CATALOG}.{table_name(workload_.name)}"
    spark.sql(
        f"ALTER TABLE {table} CREATE TAG IF NOT EXISTS `trained-{int(snapshot_id)}` "
        f"AS OF VERSION {int(snapshot_id)} RETAIN {TAG_DAYS} DAYS"
    )


def maintain(spark: SparkSession, workload_: Workload, keep_days: float) -> list[dict[str, Any]]:
    """Rewrite small data files into large ones, then drop untagged snapshots older than `keep_days`, keeping one.

    Both are commits like the sink's: whoever meets another one tries again, and readers keep their snapshot.
    """
    before = (datetime.now(UTC) - timedelta(days=keep_days)).strftime("%Y-%m-%d %H:%M:%S.%f")
    results = []
    kept = [name for name in sales.kept_tables(workload_) if spark.catalog.tableExists(f"{CATALOG}.{name}")]
    kept += [pages_name(workload_.name)] if workload_.pages else []
    for name in (table_name(workload_.name), assignments_name(workload_.name), *kept):
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


def main(arguments: list[str] | None = None) -> int:
    """The command of spark-apps/compact.py: a JSON line a table."""
    from millrace.training.session import spark

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="+")
    parser.add_argument("--keep-days", type=float, default=7.0, help="age up to which every snapshot is kept")
    options = parser.parse_args(arguments)
    print_logs_safely()
    try:
        selected = [workload(name) for name in options.workloads]
        session = spark("millrace-compact-" + "-".join(options.workloads))
        try:
            for workload_ in selected:
                for result in maintain(session, workload_, options.keep_days):
                    sys.stdout.write(dump_json(result, encoding=sys.stdout.encoding) + "\n")
                    sys.stdout.flush()
        finally:
            session.stop()
        return 0
    except MillraceError as error:
        sys.stdout.write(dump_json({"error": error.as_dict()}, encoding=sys.stdout.encoding) + "\n")
        return error.exit_code
