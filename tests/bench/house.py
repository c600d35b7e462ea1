"""A stack of the benchmark's own in a temporary home, with a champion for every model."""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from millrace.local import stack
from millrace.provision import provision
from millrace.registry.registry import Registry
from millrace.settings import settings
from millrace.workloads import load_workloads

log = logging.getLogger("millrace.bench")


@contextmanager
def house() -> Iterator[Path]:
    """The home of the running stack. It ends with the block, also on Ctrl-C and SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="millrace-bench-", ignore_cleanup_errors=True) as folder:
        # The stack's own API stands by; what is measured is one of the benchmark's.
        os.environ |= {"MILLRACE_HOME": folder, "MILLRACE_API_WORKERS": "1", "MILLRACE_LOCAL_LIVE": "false"}
        # An installed package is compiled once; where nothing may be written, each start would compile it again.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        settings.cache_clear()
        try:
            stack.start_stack()
            provision()
            yield Path(folder)
        finally:
            # A second Ctrl-C must not leave it running.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            stack.stop_stack()
            signal.signal(signal.SIGINT, signal.default_int_handler)


def champions() -> None:
    """Publish and promote a hand-made version of every model."""
    from tests.registry.made import made

    registry = Registry()
    for workload in load_workloads().values():
        for model in workload.models:
            version = registry.publish(*made(workload.name, model.name)).version
            registry.promote(workload.name, model.name, version)
