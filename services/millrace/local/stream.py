"""The stream of pages as a child of the stack: ready when it waits for a champion or reads."""

import sys

from millrace.local.child import Child, http_probe
from millrace.settings import REPOSITORY

# Two tasks at a time, and a heap for batches of 20,000 pages.
SPARK_ENVIRONMENT = {"MILLRACE_SPARK_MASTER": "local[2]", "MILLRACE_SPARK_MEMORY": "640m"}


def make_stream(workload: str, port: int) -> Child:
    """`port` is where it answers Prometheus, from before Spark is started on."""
    command = [sys.executable, str(REPOSITORY / "spark-apps/stream.py"), workload]
    environment = SPARK_ENVIRONMENT | {"MILLRACE_METRICS_PORT": str(port)}
    return Child("stream", command, port, http_probe(f"http://127.0.0.1:{port}/metrics"), environment)
