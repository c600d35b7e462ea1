"""Choosing ports: the usual one, a free one where that is taken, an error where the user insisted."""

import os
import socket

from millrace.errors import Unavailable

DEFAULTS = {"kafka": 9092, "kafka_controller": 9093, "connect": 8083, "s3": 9000, "api": 8000}
VARIABLES = {"api": "MILLRACE_API_PORT"}


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. A connection in TIME_WAIT does not count as a server."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def any_free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def choose(name: str, before: int | None = None) -> tuple[int, str | None]:
    """(port, sentence when it is not the usual one). `before` is the port of the last run, kept if it is free."""
    insisted = os.environ.get(VARIABLES.get(name, ""))
    if insisted:
        if not is_free(int(insisted)):
            raise Unavailable(
                f"Port {insisted} ({VARIABLES[name]}) is in use by another program. Stop that program, or leave "
                f"{VARIABLES[name]} unset and a free port is taken.",
                code="port_in_use",
                field=VARIABLES[name],
            )
        return int(insisted), None
    usual = before or DEFAULTS[name]
    if is_free(usual):
        return usual, None
    port = any_free()
    return port, f"Port {usual} is in use, so {name} listens on {port}."
