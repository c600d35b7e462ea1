"""Logging of programs."""

import logging
import subprocess
import sys

PROGRAM = """
import logging
from millrace.runtime.logs import TIMED_FORMAT, start_logging
start_logging(TIMED_FORMAT)
start_logging()
logging.getLogger("millrace.x").info("%s rows", 3)
logging.getLogger("millrace.x").debug("hidden")
logging.getLogger("kafka").info("hidden")
logging.getLogger("kafka").warning("a\\nb")
"""


def test_progress_is_logged_as_plain_lines_on_standard_error():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "3 rows\na\\nb\n")


def test_records_go_to_the_current_standard_error(capsys):
    from millrace.runtime.logs import StandardHandler

    handler = StandardHandler(output=False)
    handler.emit(logging.makeLogRecord({"msg": "here"}))
    assert capsys.readouterr().err == "here\n"


LOST_BROKER = """
import logging
from millrace.runtime.logs import start_logging
start_logging()
try:
    raise ConnectionResetError(104, "Connection reset by peer")
except OSError:
    logging.getLogger("kafka.net.transport").exception("Error receiving network data")
    logging.getLogger("millrace.x").exception("a fault")
"""


def test_broken_connection_is_one_line_and_own_fault_keeps_its_traceback():
    result = subprocess.run([sys.executable, "-c", LOST_BROKER], capture_output=True, text=True, check=True)
    first, second, *more = result.stderr.splitlines()
    assert first == "Error receiving network data: ConnectionResetError(104, 'Connection reset by peer')"
    assert (second, more[0]) == ("a fault", "Traceback (most recent call last):")


WRONG_CALL = """
import logging
from millrace.runtime.logs import start_logging
start_logging()
logging.getLogger("millrace.x").info("%d rows", "many")
logging.getLogger("millrace.x").info("next")
"""


def test_wrong_log_call_is_reported_and_does_not_end_the_program():
    result = subprocess.run([sys.executable, "-c", WRONG_CALL], capture_output=True, text=True, check=True)
    assert "TypeError: %d format" in result.stderr
    assert result.stderr.endswith("\nnext\n")


RECONNECTION = """
import logging
from millrace.runtime.logs import start_logging
start_logging()
from millrace.messaging import client
before = client._refused_logins.newest
logging.getLogger("kafka.net.manager").warning("Bootstrap connection to 1 failed: SaslAuthenticationFailedError")
assert client._refused_logins.newest > before
logging.getLogger("kafka.cluster").warning("No node available for metadata refresh - backoff/retry")
logging.getLogger("kafka.net.manager").error("Connection failed: refused")
logging.getLogger("kafka.net.sasl.plain").warning("Sending username and password in the clear")
logging.getLogger("kafka.coordinator").warning("Marking the coordinator dead")
"""


def test_reconnection_is_written_once_and_refused_login_is_noticed_all_the_same():
    result = subprocess.run([sys.executable, "-c", RECONNECTION], capture_output=True, text=True, check=True)
    assert result.stderr.splitlines() == [
        "Connection failed: refused",
        "Sending username and password in the clear",
        "Marking the coordinator dead",
    ]
