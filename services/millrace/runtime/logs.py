"""Logging of programs: what the package reports, a line each on standard error."""

import logging
from typing import IO

from millrace.runtime.text import print_logs_safely

PLAIN_FORMAT = "%(message)s"
TIMED_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_handlers: list[logging.Handler] = []


def start_logging(
    line_format: str = PLAIN_FORMAT, stream: IO[str] | None = None, date_format: str | None = None
) -> None:
    """Write what the package logs from INFO on, and other libraries from WARNING on, to `stream` (standard error).

    A second call replaces the first one. Handlers of others stay.
    """
    print_logs_safely()
    root = logging.getLogger()
    while _handlers:
        root.removeHandler(_handlers.pop())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(line_format, date_format))
    root.addHandler(handler)
    _handlers.append(handler)
    logging.getLogger("millrace").setLevel(logging.INFO)
