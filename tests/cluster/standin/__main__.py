"""The stand-in alone: `python -m tests.cluster.standin millrace`, to look at a cluster by hand."""

import logging
import sys
import threading

from tests.cluster.standin.operator import running

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
logging.getLogger("httpx").setLevel(logging.WARNING)
with running(sys.argv[1], "localhost/millrace-test-kafka:dev", "localhost/millrace-ingest:dev", disks=True):
    threading.Event().wait()
