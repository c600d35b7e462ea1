"""Logging of programs: what the package reports, a line each on standard error."""

import copy
import logging
import sys
from contextlib import suppress
from typing import TextIO

from millrace.runtime.text import print_logs_safely

PLAIN_FORMAT = "%(message)s"
TIMED_FORMAT = "%(asctime)s %(levelname)s %(message)s"
CONNECTION_LOGGERS = ("kafka.net.", "kafka.cluster")
LOGIN_LOGGERS = "kafka.net.sasl"


class StandardHandler(logging.Handler):
    """Writes to what is standard error, or output, at the time of each record."""

    def __init__(self, output: bool):
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; neither a stream that is gone nor a wrong log call is a reason to fail."""
        stream: TextIO | None = sys.stdout if self._output else sys.stderr
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - whatever a wrong call raises; logging reports it
            self.handleError(record)
            return
        with suppress(OSError, ValueError):
            if stream is not None:
                stream.write(line + "\n")
                stream.flush()


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether to write a record. Of its connections a Kafka client tells twice: what it warns of is also an error.

    A filter of the handler and not a level of the loggers: who needs to know why a connection failed listens to them.
    """
    if record.levelno >= logging.ERROR or record.name.startswith(LOGIN_LOGGERS):
        return True
    return not record.name.startswith(CONNECTION_LOGGERS)


class LineFormatter(logging.Formatter):
    """Says of a Kafka client's broken connection what broke it, without the traceback into the client."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        if record.name.startswith("kafka.") and record.exc_info:
            error = record.exc_info[1]
            record = copy.copy(record)
            record.msg, record.args = f"{record.getMessage()}: {error!r}", ()
            record.exc_info = record.exc_text = None
        return super().format(record)


def start_logging(line_format: str = PLAIN_FORMAT, date_format: str | None = None, output: bool = False) -> None:
    """Write what the package logs from INFO on, and other libraries from WARNING on, to standard error.

    With `output` to standard output. Of a Kafka client's connections only errors are written. A second call replaces
    the first one. Handlers of others stay.
    """
    print_logs_safely()
    root = logging.getLogger()
    for earlier in [handler for handler in root.handlers if isinstance(handler, StandardHandler)]:
        root.removeHandler(earlier)
    handler = StandardHandler(output)
    handler.addFilter(is_worth_a_line)
    handler.setFormatter(LineFormatter(line_format, date_format))
    root.addHandler(handler)
    logging.getLogger("millrace").setLevel(logging.INFO)
