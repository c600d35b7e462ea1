"""Choosing ports: the usual one, a free one where that is taken, an error where the user insisted."""

from collections.abc import Collection
from urllib.parse import urlsplit

from millrace.errors import BadInputError, UnavailableError
from millrace.runtime.ports import LOOPBACK, claim_port, find_free_port, is_free
from millrace.settings import read_explicit

DEFAULTS = {"kafka": 9092, "kafka_controller": 9093, "connect": 8083, "s3": 9000, "api": 8000, "stream": 9108}
SETTINGS = {"kafka": "kafka_bootstrap", "connect": "connect_url", "s3": "s3_endpoint", "api": "api_port"}
VARIABLES = {name: f"MILLRACE_{setting.upper()}" for name, setting in SETTINGS.items()}


def requested_port(name: str) -> int | None:
    """The port that the user's own settings name for this child, if any.

    Raises BadInputError when they name another machine: the stack would run here, and its clients look elsewhere.
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
        raise BadInputError(
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
            raise UnavailableError(
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
