"""Online: the updater in the foreground."""

import typer

from millrace.cli.output import handle_errors


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(epilog="Example: `MILLRACE_METRICS_PORT=9400 millrace online`")(online)


@handle_errors
def online() -> None:
    """Follow posted events and publish what they change in recommendations, until SIGTERM."""
    import logging
    import signal
    import threading

    from prometheus_client import start_http_server

    from millrace.online.metrics import metrics
    from millrace.online.updater import run_updater
    from millrace.settings import settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.ERROR)  # it says of every reconnection what is said here once
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if port := settings().metrics_port:
        start_http_server(port, addr=settings().metrics_host, registry=metrics().registry)
    run_updater(stop)
