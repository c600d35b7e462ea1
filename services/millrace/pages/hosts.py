"""Hosts of URLs and their registered domains, by the public suffix list (publicsuffix.org), offline."""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

import idna
from publicsuffixlist import PublicSuffixList

from millrace.runtime.text_cache import TextCache

SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}://", re.IGNORECASE)
HOST_END = re.compile(r"[/?#\\]")
PORT_SUFFIX = re.compile(r":[0-9]{0,5}$")
HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
MAX_HOST_LENGTH = 253  # characters of a host name (RFC 1035, section 2.3.4, less the root's dot and length)
MAX_NAME_LENGTH = MAX_HOST_LENGTH + len(".:65535")  # characters of a host with the root's dot and a port
JOINERS = "\u200c\u200d"  # zero-width; a name may hold them only where a script needs them (RFC 5892, appendix A)
HOST_CACHE_BYTES = 16_000_000  # hosts that are remembered by how they were spelled; most take 300 bytes
DOMAIN_CACHE_BYTES = 8_000_000  # domains that are remembered by their host


class UrlParts(NamedTuple):
    """A URL cut up as the stream needs it; anything can be cut, and what is lacking is empty."""

    scheme: str
    host: str
    """Lower-case and in ASCII, without port and user; "" where there is none that DNS or IP could know."""
    path: str
    query: str


def split_url(url: str) -> UrlParts:
    """Scheme, host, path and query of a URL, with or without `scheme://`. It never raises."""
    if url[:8] == "https://":
        scheme, rest = "https", url[8:]
    elif url[:7] == "http://":
        scheme, rest = "http", url[7:]
    elif match := SCHEME.match(url):
        scheme, rest = match[0][:-3].lower(), url[match.end() :]
    else:
        scheme, rest = "", url.removeprefix("//")
    cut = HOST_END.search(rest)
    if cut is None:
        return UrlParts(scheme, parse_host(rest), "", "")
    start = cut.start()
    path, _, query = rest[start:].partition("#")[0].partition("?")
    return UrlParts(scheme, parse_host(rest[:start]), path, query)


def parse_host(authority: str) -> str:
    """The host in `user@host:port`, lower-case, IDN in the ASCII form that browsers ask for; "" where there is none.

    What is longer than any host costs nothing, and a user before it is not remembered.
    """
    name = authority.rpartition("@")[2].strip()
    return _hosts[name] if len(name) <= MAX_NAME_LENGTH else ""


def _parse_name(name: str) -> str:
    name = name.lower()
    if name.startswith("["):
        return _ip(name[1:].partition("]")[0])
    name = PORT_SUFFIX.sub("", name).removesuffix(".")
    if not name.isascii():
        name = _ascii(name)
    if len(name) > MAX_HOST_LENGTH or not HOST.fullmatch(name):
        return ""
    # What ends in a number is an address or nothing (URL standard, "ends in a number").
    return _ip(name) if name.rpartition(".")[2].isdecimal() else name


def _ascii(name: str) -> str:
    """A name in ASCII by IDNA 2008 and UTS 46 (non-transitional), as the URL standard has it: ß stays a letter.

    Symbols that IDNA 2008 lacks and UTS 46 has, emoji above all, are encoded as browsers do. "" where there is none.
    """
    if len(name) > MAX_HOST_LENGTH:
        return ""
    try:
        mapped = idna.uts46_remap(name, std3_rules=False)
        return ".".join(label if label.isascii() else _ascii_label(label) for label in mapped.split("."))
    except (UnicodeError, ValueError):
        return ""


def _ascii_label(label: str) -> str:
    try:
        return idna.alabel(label).decode()
    except idna.InvalidCodepoint:
        if any(joiner in label for joiner in JOINERS):
            raise
        return f"xn--{label.encode('punycode').decode()}"


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


_hosts = TextCache(_parse_name, HOST_CACHE_BYTES)


@lru_cache(2)
def load_suffixes(only_icann: bool = False) -> PublicSuffixList:
    """The list that the package brings; reading it takes 0.2 s, so it is read at the first host."""
    return PublicSuffixList(only_icann=only_icann)


def find_domain(host: str) -> str:
    """The registered domain of a host as `parse_host` gives it: an address is its own, `localhost` has none.

    Whoever lets others have names of their own (`github.io`) is a suffix for them and a domain of its own.
    """
    return _domains[host]


def _find_domain(host: str) -> str:
    if not host or ":" in host or host.rpartition(".")[2].isdecimal():
        return host
    return load_suffixes().privatesuffix(host) or load_suffixes(only_icann=True).privatesuffix(host) or ""


_domains = TextCache(_find_domain, DOMAIN_CACHE_BYTES)


def find_url_domain(url: str | None) -> str:
    """`bbc.co.uk` of `https://www.bbc.co.uk:443/news`; "" where there is none."""
    return find_domain(split_url(url or "").host)
