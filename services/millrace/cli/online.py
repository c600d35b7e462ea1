"""Runs the online updater in the foreground."""

import typer

from millrace.cli.output import handle_errors


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(epilog="Example: `MILLRACE_METRICS_PORT=9400 millrace online`")(online)


@handle_errors
def online() -> None:
    """Follow posted events and publish what they change in recommendations, until SIGTERM."""
    import signal
    import threading

    from millrace.online.metrics import metrics
    from millrace.online.updater import run_updater
    from millrace.runtime.logs import TIMED_FORMAT, start_logging
    from millrace.runtime.metrics import serve_metrics
    from millrace.settings import settings

    start_logging(TIMED_FORMAT)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if port := settings().metrics_port:
        serve_metrics(metrics().registry, port, settings().metrics_host)
    run_updater(stop)
