"""Names of hosts as the Host and Origin headers of HTTP write them."""

import ipaddress
import re
from collections.abc import Callable, Collection

AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
ORIGIN = re.compile(rf"(https?)://{AUTHORITY.pattern}", re.IGNORECASE)
DEFAULT_PORTS = {"http": "80", "https": "443"}


def parse_host(authority: str) -> str | None:
    """The host of `host`, `host:port` or `[IPv6]:port`: in lower case, without brackets; None for what is neither."""
    match = AUTHORITY.fullmatch(authority)
    return _normalise(match[1]) if match else None


def parse_origin(origin: str) -> tuple[str, str, str] | None:
    """Scheme, host and port of `https://shop.example:8443`; None for what is no origin, such as `null` or a path."""
    match = ORIGIN.fullmatch(origin)
    if not match:
        return None
    scheme = match[1].lower()
    return scheme, _normalise(match[2]), match[3] or DEFAULT_PORTS[scheme]


def is_same_origin(origin: str, authority: str) -> bool:
    """Whether a page of `origin` comes from the server that `authority`, a Host header, names.

    The scheme may differ: where TLS ends at a proxy, the server does not see it.
    """
    parts, match = parse_origin(origin), AUTHORITY.fullmatch(authority)
    if not (parts and match):
        return False
    scheme, host, port = parts
    return (host, port) == (_normalise(match[1]), match[2] or DEFAULT_PORTS[scheme])


def _normalise(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def is_loopback(host: str) -> bool:
    """Whether it can only be this machine: 127.0.0.1, ::1, localhost and what is below it (RFC 6761)."""
    address = _parse_address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def make_host_check(listening: str, names: Collection[str]) -> Callable[[str], bool]:
    """Tells by the Host header whether a request was meant for this server.

    DNS rebinding makes a browser send requests under a stranger's name to an address inside; so names are looked at:
    those of this machine, the one listened on, and `names`, of which *.example.com means all below it. A server that
    listens beyond this machine is reached under names that it can't know: without `names` it takes all, with them also
    bare addresses, which nobody can rebind.
    """
    known = {_normalise(name) for name in (listening, *names) if not name.startswith("*.")}
    endings = tuple(_normalise(name[1:]) for name in names if name.startswith("*."))
    beyond = not is_loopback(listening)

    def accepts(authority: str) -> bool:
        host = parse_host(authority)
        if host is None:
            return False
        return (
            is_loopback(host)
            or host in known
            or host.endswith(endings)
            or (beyond and _parse_address(host) is not None)
        )

    return (lambda _: True) if beyond and not names else accepts
