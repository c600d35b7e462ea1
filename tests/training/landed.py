"""Generated records as a snapshot of the lake has them, without a lake."""

import random
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from millrace.ingest.check import RecordChecker
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.contract import list_columns
from millrace.records.readers import RawRow
from millrace.workloads.base import Workload

TYPES = {"timestamptz": "timestamp"}


def landed(spark: SparkSession, workload: Workload, count: int) -> tuple[DataFrame, list[dict[str, Any]], int]:
    """(frame, its rows, how many differ): the accepted ones of `count` generated rows, one in 50 of them twice."""
    checker, rows = RecordChecker(workload), []
    for number, row in enumerate(workload.generate(random.Random(5), count)):
        if isinstance(checker.check_row(RawRow(number, str(row), row)), AcceptedRecord):
            record = workload.record(**workload.mend(row) or row).model_dump()
            stamp = datetime.fromtimestamp(1_700_000_000 + number, UTC)
            position = {"kafka_timestamp": stamp, "kafka_partition": 0, "kafka_offset": number}
            rows += [record | position] * (2 if number % 50 == 0 else 1)
    types = {one.name: TYPES.get(one.type, one.type) for one in list_columns(workload.record) if one.name in rows[0]}
    types |= {"kafka_timestamp": "timestamp", "kafka_partition": "int", "kafka_offset": "long"}
    schema = ", ".join(f"{name} {kind}" for name, kind in types.items())
    frame = spark.createDataFrame([[row[name] for name in types] for row in rows], schema)
    return frame, rows, checker.counts.accepted
