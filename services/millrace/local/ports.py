"""Choosing ports: the usual one, a free one where that is taken, an error where the user insisted."""

import errno
import random
import socket
import sys
from collections.abc import Collection
from urllib.parse import urlsplit

from millrace.errors import BadInput, Unavailable
from millrace.settings import read_explicit

DEFAULTS = {"kafka": 9092, "kafka_controller": 9093, "connect": 8083, "s3": 9000, "api": 8000, "stream": 9108}
SETTINGS = {"kafka": "kafka_bootstrap", "connect": "connect_url", "s3": "s3_endpoint", "api": "api_port"}
VARIABLES = {name: f"MILLRACE_{setting.upper()}" for name, setting in SETTINGS.items()}
# Below the range from which the system takes ports for outgoing connections, so that a restarted child finds its own.
FREE_PORTS = range(20_000, 32_000)
LOOPBACK = "127.0.0.1"
_claims: dict[int, socket.socket] = {}


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now. A connection in TIME_WAIT does not count as a server.

    Raises BadInput where `host` is no address of this machine, or the port is not for this user.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) == errno.EADDRINUSE:
                return False
            raise _reject(host, port, error) from None
    return True


def _reject(host: str, port: int, error: Exception) -> BadInput:
    return BadInput(
        f"MILLRACE_API_HOST={host!r} can't be listened on (port {port}: {error}); allowed: an address of this machine, "
        "127.0.0.1 or ::1 for itself only, 0.0.0.0 or :: for all, with a port from 1024 on for who is not root.",
        code="bad_setting",
        field="api_host",
    )


def claim_port(port: int) -> bool:
    """Whether no other stack on this machine has chosen the port; it is this process's until it ends.

    Two stacks that start at once both find a port free. An abstract Unix socket has one owner in a network namespace,
    which is where ports count, too; the kernel gives it back.
    """
    if port in _claims or sys.platform != "linux":
        return True
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0millrace-port-{port}")
    except OSError:
        name.close()
        return False
    _claims[port] = name
    return True


def find_free_port(taken: Collection[int] = ()) -> int:
    """A free port that is not in `taken`. Raises Unavailable when there is none."""
    for port in random.sample(FREE_PORTS, len(FREE_PORTS)):
        if port not in taken and is_free(port) and claim_port(port):
            return port
    raise Unavailable(f"No port from {FREE_PORTS.start} to {FREE_PORTS.stop - 1} is free.", code="port_in_use")


def requested_port(name: str) -> int | None:
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
        here, port = address.hostname in (LOOPBACK, "localhost"), address.port
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


def choose_port(
    name: str, before: int | None = None, taken: Collection[int] = (), host: str = LOOPBACK
) -> tuple[int, str | None]:
    """(port, sentence when it is not the usual one).

    `before` is the port of the last run, kept if it is free; `taken` are those given to others in this start.
    """
    wanted = requested_port(name)
    if wanted is not None:
        if wanted in taken or not (is_free(wanted, host) and claim_port(wanted)):
            raise Unavailable(
                f"Port {wanted} ({VARIABLES[name]}) is in use by another program. Stop that program, or leave "
                f"{VARIABLES[name]} unset and a free port is taken.",
                code="port_in_use",
                field=VARIABLES[name],
            )
        return wanted, None
    usual = before or DEFAULTS[name]
    if usual not in taken and is_free(usual, host) and claim_port(usual):
        return usual, None
    port = find_free_port(taken)
    return port, f"Port {usual} is in use, so {name} listens on {port}."
