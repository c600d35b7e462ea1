"""How long it takes until an ingested record can be queried in the lake."""

import csv
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from millrace.ingest.publish import ingest_source
from millrace.lake.tables import load_table
from millrace.settings import settings
from millrace.workloads import find_workload
from tests.bench.table import Line

EVENTS = 7
PATIENCE = 120.0  # seconds for one record


def landed(course: str) -> bool:
    result = load_table("courses").scan(row_filter=f"course_id == '{course}'", selected_fields=("course_id",))
    return len(result.to_arrow()) == 1


def measure(home: Path, environment: dict[str, str]) -> Iterator[Line]:
    declared, random = find_workload("courses"), Random(3)
    seconds = []
    for number in range(EVENTS + 1):
        file = home / f"event-{number}.csv"
        row = next(declared.generate(Random(number + 1), 1)) | {"course_id": f"bench-{number}"}
        with file.open("w", newline="", encoding="utf-8") as target:
            writer = csv.DictWriter(target, declared.fields)
            writer.writeheader()
            writer.writerow(row)
        started = time.monotonic()
        answer = ingest_source(declared, str(file))
        assert answer["accepted"] == 1, answer
        while not landed(row["course_id"]):
            if time.monotonic() - started > PATIENCE:
                raise SystemExit(f"the lake did not get a record within {PATIENCE:g} s")
            time.sleep(0.1)
        if number:  # the first one finds a sink that has never committed
            seconds.append(time.monotonic() - started)
        time.sleep(random.uniform(0, settings().commit_interval))
    interval = settings().commit_interval
    what = f"event to lake, a commit every {interval:g} s"
    detail = {"events": [round(value, 2) for value in seconds], "commit_interval": interval}
    yield Line(what, 10, statistics.median(seconds), "s", less_is_better=True, detail=detail)
