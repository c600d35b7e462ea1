"""The command of spark-apps/train.py: JSON lines on standard output, sentences on standard error."""

import argparse
import re
import signal
import sys
import time
from typing import Any

import orjson
from pyspark.errors import PySparkException

from millrace.errors import BadInput, MillraceError
from millrace.recommend.candidates import NETWORKS
from millrace.training.session import spark
from millrace.training.train import WINDOWS, train
from millrace.workloads import workload
from millrace.workloads.base import Workload

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LOOK = 2.0  # seconds between two looks at the lake while following


def every(text: str) -> tuple[int | None, float | None]:
    """(rows, None) from `1000rows`, (None, seconds) from `10m`. Raises BadInput."""
    rows = re.fullmatch(r"(\d+)\s*rows?", text)
    span = re.fullmatch(r"(\d+)\s*([smhd])", text)
    if rows and int(rows[1]):
        return int(rows[1]), None
    if span and int(span[1]):
        return None, int(span[1]) * UNITS[span[2]]
    raise BadInput(
        f"--every {text!r} is not usable; allowed: rows such as 1000rows, or a time such as 30s, 10m, 6h.",
        field="every",
        allowed="1000rows, 30s, 10m, 6h",
    )


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def tell(result: dict[str, Any]) -> None:
    sys.stdout.write(orjson.dumps(result).decode() + "\n")
    sys.stdout.flush()


def follow(
    session: Any,
    found: Workload,
    models: list,
    windows: list[str],
    networks: tuple[str, ...],
    rows: int | None,
    seconds: float | None,
):
    """Train again and again: when `rows` more have landed, or every `seconds`. Ends with the process."""
    from millrace.lake.tables import total_rows

    trained_rows, trained_at = 0, float("-inf")
    while True:
        landed = total_rows(found.name)
        due = landed - trained_rows >= rows if rows else time.monotonic() - trained_at >= (seconds or 0)
        if due and landed > trained_rows:
            trained_rows, trained_at = landed, time.monotonic()
            for result in train(session, found, models, windows, say=say, networks=networks):
                tell(result)
        elif due:
            trained_at = time.monotonic()
        time.sleep(LOOK)


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit code of the error tree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="+")
    parser.add_argument("--model", action="append", help="only this model; may be given several times")
    parser.add_argument("--window", action="append", choices=WINDOWS, help="default: all")
    parser.add_argument("--snapshot", help="an earlier snapshot's id; default: the newest")
    parser.add_argument("--accept-gaps", action="store_true", help="train although offsets are missing")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="try it too; needs the extra `neural`")
    parser.add_argument("--fresh", action="store_true", help="page clusters: learn space and k anew")
    parser.add_argument("--follow", action="store_true", help="keep running and train when --every says")
    parser.add_argument("--every", default="1000rows", help="1000rows or 10m")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        pace = every(given.every)
        plan = []
        for name in given.workloads:
            found = workload(name)
            wanted = given.model or [model.name for model in found.models]
            if unknown := [name for name in wanted if found.model(name) is None]:
                allowed = ", ".join(model.name for model in found.models)
                raise BadInput(f"{name} has no model {unknown[0]!r}; allowed: {allowed}.", field="model")
            plan.append((found, [found.model(name) for name in wanted]))
        say("starting Spark")
        session = spark("millrace-train-" + "-".join(given.workloads))
        windows, networks = given.window or ["all"], tuple(given.network or ())
        try:
            for found, models in plan:
                if given.follow:
                    follow(session, found, models, windows, networks, *pace)
                for result in train(
                    session, found, models, windows, given.snapshot, say, given.accept_gaps, networks, given.fresh
                ):
                    tell(result)
        finally:
            session.stop()
        return 0
    except PySparkException as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        fault = MillraceError(f"Spark failed: {lines[0]} ... {lines[-1].strip()}"[:1000], code="spark_failed")
        tell({"error": fault.as_dict()})
        return fault.exit_code
    except MillraceError as error:
        tell({"error": error.as_dict()})
        return error.exit_code
    except KeyboardInterrupt:
        return 130
