"""Runs the API: several worker processes, graceful shutdown on SIGTERM."""

import os
import tempfile

import uvicorn
from fastapi import FastAPI

from millrace.api.file_budget import plan_files
from millrace.errors import UnavailableError
from millrace.runtime.logs import TIMED_FORMAT, start_logging
from millrace.runtime.open_files import raise_file_limit
from millrace.runtime.ports import is_free
from millrace.runtime.setting_types import list_parts
from millrace.runtime.signals import end_on_sigterm
from millrace.settings import settings

OWN_ADDRESSES = ("127.0.0.1", "::1")  # of proxies on this machine
DRAIN_TIMEOUT_S = 20  # seconds that requests in flight have after SIGTERM
START_TIMEOUT_S = 60  # seconds after which a worker that does not answer its supervisor is replaced


def create_worker() -> FastAPI:
    """The application of a worker, a process of its own to which the logging of `serve` does not reach."""
    from millrace.api.main import create_app  # here: before PROMETHEUS_MULTIPROC_DIR is set, no metric may be made

    start_logging(TIMED_FORMAT)
    return create_app()


def serve() -> None:
    """Serve until SIGTERM or SIGINT.

    Raises UnavailableError when the port is taken, BadInputError when too few files may be open.
    """
    current = settings()
    start_logging(TIMED_FORMAT)
    if not is_free(current.api_port, current.api_host):
        raise UnavailableError(
            f"Port {current.api_port} is in use by another program; set MILLRACE_API_PORT to a free one.",
            code="port_in_use",
            field="api_port",
        )
    proxies = list_parts(current.api_proxies)
    files = plan_files(raise_file_limit(), current.api_connections)
    # uvicorn drains, then raises the signal again: it must end here as success, and clean the folder up.
    end_on_sigterm(0)
    with tempfile.TemporaryDirectory(prefix="millrace-metrics-") as folder:
        # Must be set before a worker makes its first metric; fresh, since old processes' files would be counted.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        with tempfile.TemporaryDirectory(prefix="millrace-arrays-") as arrays:
            if current.api_arrays is None:
                os.environ["MILLRACE_API_ARRAYS"] = arrays
            uvicorn.run(
                "millrace.api.serve:create_worker",
                factory=True,
                host=current.api_host,
                port=current.api_port,
                workers=current.api_workers,
                loop="uvloop",
                http="millrace.api.client_protocol:ClientProtocol",
                ws="none",  # it would take connections out of the protocol's hands
                backlog=files.backlog,
                timeout_keep_alive=current.api_idle_timeout,  # pyright: ignore[reportArgumentType] - a float does
                # None is uvicorn's own rule: FORWARDED_ALLOW_IPS, or this machine.
                forwarded_allow_ips=[*OWN_ADDRESSES, *proxies] if proxies else None,
                access_log=False,
                log_level="info",
                timeout_graceful_shutdown=DRAIN_TIMEOUT_S,
                timeout_worker_healthcheck=START_TIMEOUT_S,
                server_header=False,
                use_colors=False,  # what strangers send is escaped in the log, and colours would be, too
                date_header=False,
            )
