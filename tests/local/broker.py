"""A broker of a test's own."""

import os
import time
from contextlib import contextmanager

from millrace.local import java, kafka, ports
from millrace.local.child import last_words, start


@contextmanager
def broker(home):
    """A broker over the home's data on ports that it never had; killed with -9 at the end."""
    port = ports.any_free()
    child = kafka.prepare(home, java.find(), port, ports.any_free([port]))
    process = start(child, home / "logs/kafka.log", os.environ)
    try:
        deadline = time.monotonic() + 90
        while not child.ready():
            assert process.poll() is None, last_words(home / "logs/kafka.log")
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
