"""Loopback is never proxied, whatever the environment says of other addresses."""

from collections.abc import MutableMapping
from urllib.parse import urlsplit

from millrace.runtime.hosts import is_loopback

LOOPBACK = ("localhost", "127.0.0.1", "::1")
VARIABLES = ("no_proxy", "NO_PROXY")
"""Libraries look at one or the other; where both are set, which of them wins differs from library to library."""


def leads_to_loopback(url: str) -> bool:
    """Whether a URL can only lead to this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def exempt_loopback(environ: MutableMapping[str, str]) -> None:
    """Add the loopback addresses to the hosts that are asked directly, where a proxy is set at all."""
    if not any(name.lower().endswith("_proxy") and name not in VARIABLES for name in environ):
        return
    # Some write [::1], at which httpx fails.
    hosts = [host.strip().strip("[]") for name in VARIABLES for host in environ.get(name, "").split(",")]
    direct = ",".join(dict.fromkeys(host for host in (*hosts, *LOOPBACK) if host))
    for name in VARIABLES:
        environ[name] = direct
