"""Ports of this machine: whether one is free, and claiming it before it is used."""

import errno
import random
import socket
import sys
from collections.abc import Collection

from millrace.errors import BadInputError, UnavailableError

# Below the range from which the system takes ports for outgoing connections, so that a restarted child finds its own.
FREE_PORTS = range(20_000, 32_000)
LOOPBACK = "127.0.0.1"
_claims: dict[int, socket.socket] = {}


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now. A connection in TIME_WAIT does not count as a server.

    Raises BadInputError where `host` is no address of this machine, or the port is not for this user.
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


def _reject(host: str, port: int, error: Exception) -> BadInputError:
    return BadInputError(
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
    """A free port that is not in `taken`. Raises UnavailableError when there is none."""
    for port in random.sample(FREE_PORTS, len(FREE_PORTS)):
        if port not in taken and is_free(port) and claim_port(port):
            return port
    raise UnavailableError(f"No port from {FREE_PORTS.start} to {FREE_PORTS.stop - 1} is free.", code="port_in_use")
