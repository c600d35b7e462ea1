"""How many pages a second are scored on one core, and how many go through the stream into lake and topics."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa

from millrace.ingest.publish import ingest_source
from millrace.messaging.reader import end_offsets
from millrace.stream.score import score_pages
from tests.bench.table import Line
from tests.conftest import generated
from tests.registry.made import clean_rows
from tests.stream.made import Sent, declared, promoted
from tests.stream.made import arrays as made_arrays
from tests.stream.running import running

SCORED, STREAMED, RUNS = 20_000, 100_000, 3


def records(count: int) -> pa.RecordBatch:
    """Records as Spark's source gives them."""
    values = [
        orjson.dumps(row | {"record_id": f"{number:032x}"}) for number, row in enumerate(clean_rows("urls", count))
    ]
    return pa.RecordBatch.from_arrays(
        [
            pa.array([0] * count, pa.int32()),
            pa.array(range(count), pa.int64()),
            pa.array([1_779_000_000_000_000 + number for number in range(count)], pa.timestamp("us", "UTC")),
            pa.array(values, pa.binary()),
        ],
        ["partition", "offset", "timestamp", "value"],
    )


def scored() -> Line:
    batch, arrays, (_, page_model) = records(SCORED), Sent(made_arrays(1)), declared()
    list(score_pages([batch.slice(0, 100)], arrays, "v1", page_model))
    results = []
    for _ in range(RUNS):
        started = time.process_time()
        list(score_pages([batch], arrays, "v1", page_model))
        results.append(SCORED / (time.process_time() - started))
    return Line("pages scored in a stream, one core", 20_000, max(results), "pages/s", detail={"runs": results})


def measure(home: Path, environment: dict[str, str]) -> Iterator[Line]:
    yield scored()
    result, _ = declared()
    before = sum(end_offsets(result.records_topic).values())
    ingest_source(result, str(generated(result, STREAMED, 3, home)))
    pages = sum(end_offsets(result.records_topic).values())
    promoted(1)
    with running(home / "stream.log", rows=20_000) as stream:
        stream.wait_reading()
        while stream.metrics().get("rows_total", 0) < pages:
            time.sleep(0.2)
            assert stream.process.poll() is None, stream.output()[-2000:]
        report = stream.metrics()
        memory = subprocess.run(
            ["ps", "-o", "rss=", "-g", str(stream.process.pid)], capture_output=True, text=True, check=False
        )
        stream.stop()
    seconds = report["batch_seconds_total"]
    detail = {
        "pages": pages - before,
        "batches": report["batches_total"],
        "memory_mb": sum(map(int, memory.stdout.split())) / 1024,
    }
    yield Line("pages into lake, topics and deltas", None, pages / seconds, "pages/s", detail=detail)
