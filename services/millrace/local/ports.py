"""Choosing ports: the usual one, a free one where that is taken, an error where the user insisted."""

import random
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from millrace.errors import BadInput, Unavailable
from millrace.settings import read_explicit

DEFAULTS = {"kafka": 9092, "kafka_controller": 9093, "connect": 8083, "s3": 9000, "api": 8000, "stream": 9108}
SETTINGS = {"kafka": "kafka_bootstrap", "connect": "connect_url", "s3": "s3_endpoint", "api": "api_port"}
VARIABLES = {name: f"MILLRACE_{setting.upper()}" for name, setting in SETTINGS.items()}
# Below the range from which the system takes ports for outgoing connections, so that a restarted child finds its own.
FREE = range(20_000, 32_000)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. A connection in TIME_WAIT does not count as a server."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def any_free(taken: Collection[int] = ()) -> int:
    """A free port that is not in `taken`. Raises Unavailable when there is none."""
    for port in random.sample(FREE, len(FREE)):
        if port not in taken and is_free(port):
            return port
    raise Unavailable(f"No port from {FREE.start} to {FREE.stop - 1} is free.", code="port_in_use")


def insisted(name: str) -> int | None:
    """The port that the user's own settings name for this child, if any.

    Raises BadInput when they name another machine: the stack would run here, and its clients look elsewhere.
    """
    value = read_explicit(SETTINGS[name]) if name in SETTINGS else None
    if value is None:
        return None
    variable = VARIABLES[name]
    if value.isdigit():
        return int(value)
    try:
        address = urlsplit(value if "//" in value else f"//{value}")
        here, port = address.hostname in ("127.0.0.1", "localhost"), address.port
    except ValueError:
        here, port = False, None
    if not here or port is None:
        raise BadInput(
            f"{variable}={value!r} does not name a port of this machine, and the stack on one machine brings its own "
            f"{name}. Unset {variable}, or name 127.0.0.1 and a port.",
            code="bad_setting",
            field=variable,
        )
    return port


def choose(
    name: str, before: int | None = None, taken: Collection[int] = (), host: str = "127.0.0.1"
) -> tuple[int, str | None]:
    """(port, sentence when it is not the usual one).

    `before` is the port of the last run, kept if it is free; `taken` are those given to others in this start.
    """
    wanted = insisted(name)
    if wanted is not None:
        if wanted in taken or not is_free(wanted, host):
            raise Unavailable(
                f"Port {wanted} ({VARIABLES[name]}) is in use by another program. Stop that program, or leave "
                f"{VARIABLES[name]} unset and a free port is taken.",
                code="port_in_use",
                field=VARIABLES[name],
            )
        return wanted, None
    usual = before or DEFAULTS[name]
    if usual not in taken and is_free(usual, host):
        return usual, None
    port = any_free(taken)
    return port, f"Port {usual} is in use, so {name} listens on {port}."
