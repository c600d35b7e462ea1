"""The command of spark-apps/train.py: JSON lines on standard output, sentences on standard error."""

import logging
import math
import sys
from typing import Any

from pyspark.errors import PySparkException

from millrace.errors import MillraceError
from millrace.runtime.logs import start_logging
from millrace.runtime.signals import end_on_sigterm
from millrace.runtime.text import dump_json
from millrace.spark.session import start_session
from millrace.training.follow import follow
from millrace.training.lake_wait import wait_for_rows
from millrace.training.options import TrainingRequest
from millrace.training.train import train_models
from millrace.workloads import find_workload

log = logging.getLogger(__name__)


def print_result(result: dict[str, Any]) -> None:
    """Print a result as a line of JSON on standard output."""
    sys.stdout.write(dump_json(result, encoding=sys.stdout.encoding) + "\n")
    sys.stdout.flush()


def run_request(request: TrainingRequest) -> None:
    """Train the workloads once, or follow all of them until the process ends. Raises MillraceError.

    Spark starts only when there is a row to train on.
    """
    if not request.options.snapshot_id:
        wait_for_rows(request.workloads, math.inf if request.pace else request.wait_s)
    log.info("starting Spark")
    session = start_session("millrace-train-" + "-".join(request.workloads))

    def train_workload(name: str) -> None:
        for result in train_models(session, find_workload(name), request.options):
            print_result(result)

    try:
        if request.pace:
            from millrace.lake.tables import count_rows

            follow(request.workloads, request.pace, train_workload, count_rows)
        for name in request.workloads:
            train_workload(name)
    finally:
        session.stop()


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit code of the error tree."""
    end_on_sigterm()
    start_logging()
    try:
        run_request(TrainingRequest.parse(arguments))
        return 0
    except PySparkException as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        fault = MillraceError(f"Spark failed: {lines[0]} ... {lines[-1].strip()}"[:1000], code="spark_failed")
        print_result({"error": fault.as_dict()})
        return fault.exit_code
    except MillraceError as error:
        print_result({"error": error.as_dict()})
        return error.exit_code
    except KeyboardInterrupt:
        return 130
